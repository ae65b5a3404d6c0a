#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

// model.d.ts: the types of any model, with the last section made for this one.
//
//   export interface Inputs {
//     /** float32[batch,1,28,28] */
//     image: 'float32';
//   }
std::string Declarations(const Contents& contents);

}  // namespace webnnc::bundle
