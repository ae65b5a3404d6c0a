#include "wgsl/lower.h"

#include "wgsl/lower_function.h"
#include "wgsl/tidy.h"

namespace webnnc::wgsl {

namespace {

class ModuleLowering {
 public:
  explicit ModuleLowering(const Source& source) : source_(source), globals_(module_) {}

  Result<Module> Run() {
    if (source_.UsesF16()) module_.enables.push_back("f16");
    if (source_.UsesSubgroups()) module_.enables.push_back("subgroups");
    if (source_.UsesMatrices()) module_.enables.push_back("chromium_experimental_subgroup_matrix");
    for (SpirvId id : source_.GlobalVariables()) TRY(DeclareVariable(id));
    std::vector<SpirvId> functions = source_.Functions();
    for (SpirvId id : functions) globals_.Name(id, module_.NewSymbol(source_.NameOf(id)));
    for (SpirvId id : functions) TRY(AddFunction(id));
    return std::move(module_);
  }

 private:
  Status DeclareVariable(SpirvId id) {
    const SPIRVariable& variable = *source_.Variable(id);
    std::string type = TypeText(source_, source_.TypeOfVariable(variable));
    if (variable.storage == spv::StorageClassInput) {
      TRY_ASSIGN(auto built_in, BuiltInOf(id));
      SymbolId symbol = module_.NewSymbol(built_in);
      globals_.Name(id, symbol);
      inputs_.push_back({symbol, type, "@builtin(" + built_in + ")"});
      return kSuccess;
    }
    Global global{"", "workgroup", module_.NewSymbol(source_.NameOf(id)), type, ""};
    globals_.Name(id, global.symbol);
    if (variable.storage != spv::StorageClassWorkgroup) {
      TRY(CheckLayout(source_, variable));
      bool is_uniform = variable.storage == spv::StorageClassUniform;
      global.space = is_uniform                        ? "uniform"
                     : source_.IsNonWritable(variable) ? "storage, read"
                                                       : "storage, read_write";
      uint32_t binding = source_.Decoration(id, spv::DecorationBinding);
      global.attributes = "@group(0) @binding(" + std::to_string(binding) + ")";
    }
    module_.globals.push_back(std::move(global));
    return kSuccess;
  }

  Result<std::string> BuiltInOf(SpirvId id) {
    if (!source_.Has(id, spv::DecorationBuiltIn)) {
      return Error{"the SPIR-V has an input that is not a built-in one"};
    }
    switch (source_.Decoration(id, spv::DecorationBuiltIn)) {
      case spv::BuiltInWorkgroupId: return std::string("workgroup_id");
      case spv::BuiltInSubgroupId: return std::string("subgroup_id");
      case spv::BuiltInSubgroupLocalInvocationId: return std::string("subgroup_invocation_id");
      case spv::BuiltInNumSubgroups: return std::string("num_subgroups");
      default: return std::string("local_invocation_index");
    }
  }

  Status AddFunction(SpirvId id) {
    TRY_ASSIGN(auto function, LowerFunction(source_, module_, globals_, id));
    function.symbol = globals_.Of(id);
    if (id == source_.EntryPoint()) {
      std::string size = std::to_string(source_.WorkgroupSize());
      module_.symbols[function.symbol].name = "main";
      function.attributes = "@compute @workgroup_size(" + size + ")";
      function.parameters = inputs_;
    }
    Tidy(module_, function.body);
    module_.functions.push_back(std::move(function));
    return kSuccess;
  }

  const Source& source_;
  Module module_;
  Globals globals_;
  std::vector<Parameter> inputs_;
};

}  // namespace

Result<Module> Lower(const Source& source) { return ModuleLowering(source).Run(); }

}  // namespace webnnc::wgsl
