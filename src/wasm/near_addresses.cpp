#include "wasm/near_addresses.h"

#include <algorithm>
#include <map>
#include <vector>

namespace webnnc::wasm {

namespace {

// An address that the block itself loads from or stores to.
struct Near {
  llvm::GetElementPtrInst* address;
  int64_t bytes;  // from the one that it is near to
};

bool IsAccessed(const llvm::GetElementPtrInst& address) {
  return std::ranges::any_of(address.users(), [&](const llvm::User* user) {
    auto* instruction = llvm::cast<llvm::Instruction>(user);
    return instruction->getParent() == address.getParent() &&
           llvm::getLoadStorePointerOperand(instruction) == &address;
  });
}

void AddToLowest(const std::vector<Near>& all) {
  auto lowest = std::ranges::min_element(all, {}, &Near::bytes);
  if (all.size() < 2 || lowest->bytes >= 0) return;
  llvm::GetElementPtrInst* first = all.front().address;
  llvm::IRBuilder<> b(first);
  llvm::Value* base = b.CreateGEP(b.getInt8Ty(), first->getPointerOperand(),
                                  b.getInt32(static_cast<uint32_t>(lowest->bytes)));
  for (const auto& [address, bytes] : all) {
    llvm::Value* same = base;
    if (bytes > lowest->bytes) {
      // Both are addresses that are accessed, in one buffer.
      b.SetInsertPoint(address);
      same = b.CreateInBoundsGEP(b.getInt8Ty(), base,
                                 b.getInt32(static_cast<uint32_t>(bytes - lowest->bytes)));
    }
    address->replaceAllUsesWith(same);
    address->eraseFromParent();
  }
}

}  // namespace

void AddToLowest(llvm::Module& module) {
  const llvm::DataLayout& layout = module.getDataLayout();
  for (llvm::Function& function : module) {
    for (llvm::BasicBlock& block : function) {
      std::map<llvm::Value*, std::vector<Near>> near;
      std::vector<llvm::Value*> order;
      for (llvm::Instruction& instruction : block) {
        auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction);
        llvm::APInt bytes(32, 0);
        if (!address || !address->accumulateConstantOffset(layout, bytes) || !IsAccessed(*address))
          continue;
        auto& all = near[address->getPointerOperand()];
        if (all.empty()) order.push_back(address->getPointerOperand());
        all.push_back({address, bytes.getSExtValue()});
      }
      // Only keys: one may have been replaced by now, in those near to it as well.
      for (llvm::Value* to : order) AddToLowest(near[to]);
    }
  }
}

}  // namespace webnnc::wasm
