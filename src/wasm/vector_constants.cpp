#include "wasm/vector_constants.h"

#include <map>

namespace webnnc::wasm {

namespace {

// The number that all lanes have, if it is worth a load: engines make zeros and ones by themselves.
llvm::Constant* NumberOf(llvm::Value* value) {
  auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (!constant || !constant->getType()->isVectorTy()) return nullptr;
  llvm::Constant* number = constant->getSplatValue();
  if (!number || number->getType()->getScalarSizeInBits() != 32) return nullptr;
  bool is_number = llvm::isa<llvm::ConstantFP, llvm::ConstantInt>(number);
  bool is_made = number->isNullValue() || number->isAllOnesValue();
  return is_number && !is_made ? number : nullptr;
}

// Whether an instruction takes any vector there: numbers to shift by are scalars to wasm.
bool TakesVector(const llvm::Use& use) {
  auto* user = llvm::cast<llvm::Instruction>(use.getUser());
  return !llvm::isa<llvm::PHINode>(user) && !(user->isShift() && use.getOperandNo() == 1);
}

}  // namespace

void LoadVectorConstants(llvm::Module& module) {
  std::map<llvm::Constant*, uint64_t> places;
  std::vector<llvm::Constant*> numbers;
  std::vector<llvm::Use*> uses;
  for (llvm::Function& function : module) {
    for (llvm::BasicBlock& block : function) {
      for (llvm::Instruction& instruction : block) {
        for (llvm::Use& use : instruction.operands()) {
          llvm::Constant* number = NumberOf(use);
          if (!number || !TakesVector(use)) continue;
          uses.push_back(&use);
          if (places.emplace(number, numbers.size()).second) numbers.push_back(number);
        }
      }
    }
  }
  if (uses.empty()) return;
  llvm::LLVMContext& context = module.getContext();
  std::vector<llvm::Type*> types;
  for (llvm::Constant* number : numbers) types.push_back(number->getType());
  auto* type = llvm::StructType::get(context, types);
  // Not constant as LLVM sees it, which would take loads out of loops: a tile needs the registers.
  auto* table = new llvm::GlobalVariable(module, type, false, llvm::GlobalValue::InternalLinkage,
                                         llvm::ConstantStruct::get(type, numbers), "numbers");
  std::map<std::pair<llvm::BasicBlock*, llvm::Constant*>, llvm::Value*> loaded;
  for (llvm::Use* use : uses) {
    auto* user = llvm::cast<llvm::Instruction>(use->getUser());
    auto* constant = llvm::cast<llvm::Constant>(use->get());
    llvm::Value*& vector = loaded[{user->getParent(), constant}];
    if (!vector) {
      llvm::IRBuilder<> b(user);
      llvm::Constant* number = constant->getSplatValue();
      auto at = static_cast<unsigned>(places.at(number));
      llvm::Value* scalar = b.CreateLoad(number->getType(), b.CreateStructGEP(type, table, at));
      auto lanes = llvm::cast<llvm::FixedVectorType>(constant->getType())->getNumElements();
      vector = b.CreateVectorSplat(lanes, scalar);
    }
    use->set(vector);
  }
}

}  // namespace webnnc::wasm
