// std::visit with one lambda an alternative:  std::visit(Overloaded{[](A) {}, [](B) {}}, v)
#pragma once

namespace webnnc {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace webnnc
