#include "spirv/emit.h"
