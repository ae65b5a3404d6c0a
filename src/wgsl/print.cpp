#include "wgsl/print.h"
