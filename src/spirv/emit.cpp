#include "spirv/emit.h"

#include "loop/passes/simplify.h"
#include "spirv/grid.h"
#include "spirv/layout.h"
#include "spirv/optimize.h"
#include "spirv/prepare.h"
#include "spirv/statements.h"

namespace webnnc::spirv {

Result<Module> Emit(const loop::Kernel& kernel, const Options& options) {
  TRY_ASSIGN(auto prepared, Prepare(kernel, options.features));
  loop::Simplifier simplify(prepared);
  TRY_ASSIGN(auto layouts, ChooseLayouts(prepared, simplify, options.features));

  ModuleBuilder builder;
  CodeBuilder code(builder);
  Expressions expressions(prepared, simplify, code, layouts, options.read_only);
  Grid grid = ChooseGrid(prepared, options.takes_more_workgroups);
  EmitStatements(prepared, grid, code, expressions, simplify);
  expressions.DeclareSizes(options.names_symbols);

  Module module;
  module.workgroup_size = WorkgroupSize(prepared);
  module.workgroups = grid.workgroups;
  module.takes_more_workgroups = grid.folds;
  module.sizes = expressions.sizes();
  module.workgroup_bytes = expressions.workgroup_bytes();
  spv::Id main = code.Finish("main");
  module.words = builder.Finish(main, module.workgroup_size);
  module.uses_f16 = builder.uses_f16();
  module.uses_fragments = builder.uses_fragments();
  module.uses_subgroups = builder.uses_subgroups();
  module.uses_dots = builder.uses_dots();
  TRY(Validate(module.words));
  TRY_ASSIGN(module.words, Optimize(module.words));
  return module;
}

}  // namespace webnnc::spirv
