// What kernels read where a window stands over the edge of its input (src/wasm/kernel_emitter.cpp).
extern "C" {
extern unsigned char webnnc_zeros[32768];
alignas(16) unsigned char webnnc_zeros[32768];
}
