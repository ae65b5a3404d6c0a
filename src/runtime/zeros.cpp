#include "webnnc/abi.h"

using webnnc::abi::kZeroBytes;

extern "C" {
extern unsigned char webnnc_zeros[kZeroBytes];
alignas(16) unsigned char webnnc_zeros[kZeroBytes];
}
