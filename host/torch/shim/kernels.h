// Passes over images whose channels lie side by side: rows of `channels` numbers, one row per pixel, `pitch` numbers
// from one row to the next. Compiled once for any processor and once for AVX2; the caller takes the better that runs.
//
// Nothing of the standard library or ATen may be used in kernels.cpp: an inline function compiled there for AVX2 could
// be the one that the linker keeps for all.
#pragma once

#include <stdint.h>

namespace nshot {

template <typename T>
struct Rows {
    T* data;
    int64_t pitch;
};

// scale[c] * x[r][c] + shift[c]; the value itself where `scale` is null.
template <typename T>
struct AffineTerm {
    Rows<const T> x;
    const T* scale;
    const T* shift;
};

enum Rectifier : int32_t { NONE = 0, RELU = 1, RELU6 = 2 };

// Lets a gradient through where the rectified scale[c] * x[r][c] + shift[c] has the slope 1; all of it for NONE.
template <typename T>
struct Mask {
    Rectifier rectifier;
    const T* scale;
    const T* shift;
};

// Geometry of a depthwise convolution of `[N, height, width, channels]` to `[N, out_height, out_width, channels]`.
struct Depthwise {
    int64_t channels, height, width, out_height, out_width;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
};

// Geometry of a pooling of `[N, height, width, channels]` to `[N, out_height, out_width, channels]`.
struct Pool {
    int64_t channels, height, width, out_height, out_width;
    int64_t kernel[2], stride[2], padding[2];
};

template <typename T>
struct Kernels {
    // Adds, per channel, the sums of `x - origin` and of its square over `rows` rows.
    void (*moments)(Rows<const T> x, int64_t rows, int64_t channels, const T* origin, double* sum, double* square);
    // The sum of the terms; written to `sum` and, rectified, to `rectified`; either may be null. Both have the pitch
    // `channels`. `past`: they are larger than the caches, and are written past them where that can be done.
    void (*combine)(const AffineTerm<T>* terms, int64_t count, int64_t rows, int64_t channels, Rectifier rectifier,
                    T* sum, T* rectified, bool past);
    // g = sum of `direct` + (sum of `masked` where `rectified` lets through), into `g` of pitch `channels`.
    void (*gather)(const Rows<const T>* direct, int64_t direct_count, const Rows<const T>* masked,
                   int64_t masked_count, const T* rectified, Rectifier rectifier, int64_t rows, int64_t channels,
                   T* g);
    // Adds, per channel, the sums of g and of g * (x - origin), for the masked g.
    void (*correlate)(Rows<const T> g, Rows<const T> x, const Mask<T>& mask, int64_t rows, int64_t channels,
                      const T* origin, double* sum, double* product);
    // out[r][c] = a[c] * g[r][c] + b[c] * (x[r][c] - origin[c]) + d[c], for the masked g; `out` may be `g`.
    void (*spread)(Rows<const T> g, Rows<const T> x, const Mask<T>& mask, int64_t rows, int64_t channels,
                   const T* origin, const T* a, const T* b, const T* d, Rows<T> out);
    // Rows of `out_height` (first index: image * out_height + row); `weight` has one factor per output position.
    void (*pool)(Rows<const T> x, const Pool& geometry, const T* weight, int64_t begin, int64_t end, T* out);
    // The same for the gradient of `x`, by its rows.
    void (*pool_back)(Rows<const T> g, const Pool& geometry, const T* weight, int64_t begin, int64_t end, T* out);
    // Adds the gradient of a depthwise convolution's weight over some images, to `[kernel height, kernel width,
    // channels]`.
    void (*depthwise)(Rows<const T> x, Rows<const T> g, const Depthwise& geometry, int64_t begin, int64_t end,
                      double* weight);
};

namespace kernels_base {
const Kernels<float>& of_float();
const Kernels<double>& of_double();
}  // namespace kernels_base
#if defined(__x86_64__)
namespace kernels_avx2 {
const Kernels<float>& of_float();
const Kernels<double>& of_double();
}  // namespace kernels_avx2
#endif

}  // namespace nshot
