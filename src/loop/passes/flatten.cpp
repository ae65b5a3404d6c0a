#include "loop/passes/flatten.h"

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "loop/thread_rows.h"

namespace webnnc::loop {

namespace {

class Flattener {
 public:
  explicit Flattener(Kernel& kernel) : kernel_(kernel), build_(kernel) {
    std::set<BufferId> rows = ThreadRows(kernel);
    for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
      BufferId id{b};
      keeps_row_.push_back(rows.count(id) && kernel.buffers[id].type.rank() > 1);
    }
  }

  void Run() {
    ExprRewriter rewrite(kernel_, [this](ExprId id, ExprId) {
      Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<Load>(&expr.node);
      if (!load) return id;
      load->index = Flat(load->buffer, load->index);
      return kernel_.exprs.Add(std::move(expr));
    });
    Rewrite(kernel_.body, rewrite);
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      Shape& shape = kernel_.buffers[BufferId{b}].type.shape;
      kernel_.buffers[BufferId{b}].panels = false;
      if (keeps_row_[static_cast<size_t>(b)]) {
        shape = {shape[0], ElementCount(Shape(shape.begin() + 1, shape.end()))};
      } else {
        shape = {ElementCount(shape)};
      }
    }
  }

 private:
  void Rewrite(Block& block, ExprRewriter& rewrite) {
    for (Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        Rewrite(loop->body, rewrite);
      } else if (auto* let = std::get_if<Let>(&stmt)) {
        let->value = rewrite(let->value);
      } else if (auto* test = std::get_if<If>(&stmt)) {
        test->condition = rewrite(test->condition);
        Rewrite(test->body, rewrite);
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        for (ExprId& index : store->index) index = rewrite(index);
        store->index = Flat(store->buffer, store->index);
        store->value = rewrite(store->value);
      }
    }
  }

  Index Flat(BufferId id, const Index& index) {
    const Shape& shape = kernel_.buffers[id].type.shape;
    size_t first = keeps_row_[static_cast<size_t>(id.index)] ? 1 : 0;
    ExprId offset = build_.Int(0);
    for (size_t d = first; d < shape.size(); ++d) {
      offset = build_.Add(build_.Mul(offset, build_.Size(shape[d])), index[d]);
    }
    if (first == 1) return {index[0], offset};
    return {offset};
  }

  Kernel& kernel_;
  Builder build_;
  std::vector<bool> keeps_row_;
};

}  // namespace

void Flatten(Kernel& kernel) { Flattener(kernel).Run(); }

}  // namespace webnnc::loop
