// Convolutions with a kernel of 3x3, stride 1 and padding 1 by Winograd's minimal filtering F(4x4, 3x3): 36 products in
// place of 144 for 16 outputs. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308;
// their names: a tile is 6x6 inputs for 4x4 outputs, U = G g G', V = B' d B, M = U V, y = A' M A.
//
// As in kernels.h, nothing of the standard library or ATen may be used in winograd.cpp.
#pragma once

#include "kernels.h"

namespace nshot {

// Above it libtorch convolves: U grows with the square of the channels, and zeros stand ready for so many.
constexpr int64_t MOST_CHANNELS = 256;

// Outputs of a tile along one side, its inputs, and all of them.
constexpr int64_t OUTPUTS = 4, SIDE = 6, PLACES = SIDE * SIDE;

// Geometry of the images; `U` is `[PLACES, inputs, outputs]`.
struct Winograd {
    int64_t inputs, outputs, height, width;

    // Inlined always: one compiled for AVX-512 could be the one that the linker keeps for all.
    __attribute__((always_inline)) int64_t across() const { return (width + OUTPUTS - 1) / OUTPUTS; }
    __attribute__((always_inline)) int64_t tiles() const { return (height + OUTPUTS - 1) / OUTPUTS * across(); }
};

// Filters of 3x3 by the distances between inputs, outputs, rows and columns.
template <typename T>
struct Filters {
    T* data;
    int64_t input, output, row, column;
};

template <typename T>
struct WinogradKernels {
    // Channels come in multiples of this.
    int64_t lanes;
    // Numbers that `forward` and `weight` need to work with; faster where they begin at a multiple of 64 bytes.
    int64_t (*scratch)(const Winograd& geometry);
    // U from the filters, for inputs from `begin` to `end`; and back, from the gradient of U, of which there are `count` to
    // add up, to that of the filters.
    void (*filters)(Filters<const T> filters, const Winograd& geometry, int64_t begin, int64_t end, T* u);
    void (*filters_back)(const T* u, int64_t count, const Winograd& geometry, int64_t begin, int64_t end,
                         Filters<T> filters);
    // Outputs of the tiles from `begin` to `end`, counted over all images; `bias` may be null. `past`: the
    // outputs are larger than the caches, and are written past them where that can be done.
    void (*forward)(Rows<const T> x, const T* u, const T* bias, const Winograd& geometry, int64_t begin, int64_t end,
                    Rows<T> y, bool past, T* scratch);
    // Adds to the gradient of U what these tiles give.
    void (*weight)(Rows<const T> x, Rows<const T> g, const Winograd& geometry, int64_t begin, int64_t end, T* u,
                   T* scratch);
};

#if defined(__x86_64__)
namespace winograd_avx2 {
const WinogradKernels<float>& of_float();
const WinogradKernels<double>& of_double();
}  // namespace winograd_avx2
namespace winograd_avx512 {
const WinogradKernels<float>& of_float();
const WinogradKernels<double>& of_double();
}  // namespace winograd_avx512
#endif

}  // namespace nshot
