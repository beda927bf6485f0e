#include "winograd.h"

#include <immintrin.h>

// The file is compiled with NSHOT_KERNELS naming the variant and NSHOT_VECTOR its bytes.
#define NSHOT_JOIN(a, b) a##b
#define NSHOT_NAMED(variant) NSHOT_JOIN(winograd_, variant)

namespace nshot {
namespace NSHOT_NAMED(NSHOT_KERNELS) {

#define INLINE static inline __attribute__((always_inline))
#define INLINE_MEMBER inline __attribute__((always_inline))

template <typename T>
struct Vector {
    typedef T type __attribute__((vector_size(NSHOT_VECTOR)));
};

template <typename T>
using V = typename Vector<T>::type;

template <typename T>
constexpr int64_t LANES = NSHOT_VECTOR / sizeof(T);

template <typename T>
INLINE V<T> load(const T* from) {
    V<T> to;
    __builtin_memcpy(&to, from, sizeof(to));
    return to;
}

template <typename T>
INLINE void store(T* to, const V<T>& from) { __builtin_memcpy(to, &from, sizeof(from)); }

// Writes past the caches, so that what was there is not read first.
template <typename T>
INLINE void stream(T* to, const V<T>& from) {
#if NSHOT_VECTOR == 64
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)from);
#else
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), (__m256i)from);
#endif
}

#include "winograd_transforms.h"

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows of a product that are kept in registers, and vectors of each.
constexpr int ROWS = NSHOT_VECTOR == 64 ? 8 : 4;
constexpr int COLUMNS = 2;

// A matrix of any strides.
template <typename T>
struct Matrix {
    const T* data;
    int64_t row, column;
};

// ROWS rows and COUNT vectors of c (+)= a b.
template <int COUNT, typename T>
INLINE void product_block(const Matrix<T>& a, const T* b, int64_t pitch, int64_t inner, bool add, T* c) {
    V<T> sums[ROWS][COUNT];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COUNT; j++) sums[i][j] = add ? load(c + i * pitch + j * LANES<T>) : V<T>{};
    const T* at = a.data;
    for (int64_t l = 0; l < inner; l++, at += a.column, b += pitch) {
        V<T> right[COUNT];
        for (int j = 0; j < COUNT; j++) right[j] = load(b + j * LANES<T>);
        for (int i = 0; i < ROWS; i++) {
            const T left = at[i * a.row];
            for (int j = 0; j < COUNT; j++) sums[i][j] += left * right[j];
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COUNT; j++) store(c + i * pitch + j * LANES<T>, sums[i][j]);
}

// c[rows][columns] (+)= a[rows][inner] b[inner][columns], for multiples of ROWS and LANES; b and c are dense.
template <typename T>
INLINE void product(const Matrix<T>& a, const T* b, int64_t rows, int64_t columns, int64_t inner, bool add, T* c) {
    constexpr int64_t WIDE = COLUMNS * LANES<T>;
    for (int64_t j = 0; j < columns; j += WIDE) {
        for (int64_t i = 0; i < rows; i += ROWS) {
            Matrix<T> part{a.data + i * a.row, a.row, a.column};
            T* to = c + i * columns + j;
            if (j + WIDE <= columns) product_block<COLUMNS>(part, b + j, columns, inner, add, to);
            else product_block<1>(part, b + j, columns, inner, add, to);
        }
    }
}

// Pixels outside of an image, of all its channels.
alignas(64) constexpr char OUTSIDE[MOST_CHANNELS * sizeof(double)] = {};

// The place of a tile: the pixel of its outputs' corner.
struct Tile {
    int64_t row, top, left;

    INLINE_MEMBER Tile(const Winograd& w, int64_t index) {
        int64_t across = w.across(), all = w.tiles();
        row = index / all * w.height;
        top = index % all / across * OUTPUTS;
        left = index % all % across * OUTPUTS;
    }

    // Of the tile that follows in the same image or in the next.
    INLINE_MEMBER void advance(const Winograd& w) {
        left += OUTPUTS;
        if (left < w.width) return;
        left = 0;
        top += OUTPUTS;
        if (top < w.height) return;
        top = 0;
        row += w.height;
    }

    // The pixel at `top + y`, `left + x`, or null.
    template <typename T>
    INLINE_MEMBER T* at(Rows<T> images, const Winograd& w, int64_t y, int64_t x) const {
        bool inside = uint64_t(top + y) < uint64_t(w.height) && uint64_t(left + x) < uint64_t(w.width);
        return inside ? images.data + ((row + top + y) * w.width + left + x) * images.pitch : nullptr;
    }

    // The same, or zeros.
    template <typename T>
    INLINE_MEMBER const T* read(Rows<const T> images, const Winograd& w, int64_t y, int64_t x) const {
        const T* pixel = at(images, w, y, x);
        return pixel ? pixel : reinterpret_cast<const T*>(OUTSIDE);
    }
};

// V = B' d B of one tile, `stride` numbers from one of its places to the next.
template <typename T>
INLINE void input_tile(Rows<const T> x, const Winograd& w, const Tile& tile, T* to, int64_t stride) {
    const T* from[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) from[i][j] = tile.read(x, w, i - 1, j - 1);
    for (int64_t c = 0; c < w.inputs; c += LANES<T>) {
        V<T> half[SIDE][SIDE];
        for (int i = 0; i < SIDE; i++) {
            V<T> d[SIDE];
            for (int j = 0; j < SIDE; j++) d[j] = load(from[i][j] + c);
            by_b<T>(d, half[i]);
        }
        for (int j = 0; j < SIDE; j++) {
            V<T> column[SIDE], made[SIDE];
            for (int i = 0; i < SIDE; i++) column[i] = half[i][j];
            by_b<T>(column, made);
            for (int i = 0; i < SIDE; i++) store(to + (SIDE * i + j) * stride + c, made[i]);
        }
    }
}

// y = A' M A + bias of one tile.
template <bool PAST, typename T>
INLINE void output_tile(const T* m, int64_t stride, const T* bias, const Winograd& w, const Tile& tile, Rows<T> y) {
    T* to[OUTPUTS][OUTPUTS];
    for (int i = 0; i < OUTPUTS; i++)
        for (int j = 0; j < OUTPUTS; j++) to[i][j] = tile.at(y, w, i, j);
    for (int64_t c = 0; c < w.outputs; c += LANES<T>) {
        V<T> half[SIDE][OUTPUTS], shift = bias ? load(bias + c) : V<T>{};
        for (int i = 0; i < SIDE; i++) {
            V<T> row[SIDE];
            for (int j = 0; j < SIDE; j++) row[j] = load(m + (SIDE * i + j) * stride + c);
            by_a<T>(row, half[i]);
        }
        for (int j = 0; j < OUTPUTS; j++) {
            V<T> column[SIDE], made[OUTPUTS];
            for (int i = 0; i < SIDE; i++) column[i] = half[i][j];
            by_a<T>(column, made);
            for (int i = 0; i < OUTPUTS; i++) {
                if (!to[i][j]) continue;
                if constexpr (PAST) stream(to[i][j] + c, V<T>(made[i] + shift));
                else store(to[i][j] + c, V<T>(made[i] + shift));
            }
        }
    }
}

// The gradient of M, A g A', of one tile.
template <typename T>
INLINE void gradient_tile(Rows<const T> g, const Winograd& w, const Tile& tile, T* to, int64_t stride) {
    const T* from[OUTPUTS][OUTPUTS];
    for (int i = 0; i < OUTPUTS; i++)
        for (int j = 0; j < OUTPUTS; j++) from[i][j] = tile.read(g, w, i, j);
    for (int64_t c = 0; c < w.outputs; c += LANES<T>) {
        V<T> half[OUTPUTS][SIDE];
        for (int i = 0; i < OUTPUTS; i++) {
            V<T> row[OUTPUTS];
            for (int j = 0; j < OUTPUTS; j++) row[j] = load(from[i][j] + c);
            by_a_back<T>(row, half[i]);
        }
        for (int j = 0; j < SIDE; j++) {
            V<T> column[OUTPUTS], made[SIDE];
            for (int i = 0; i < OUTPUTS; i++) column[i] = half[i][j];
            by_a_back<T>(column, made);
            for (int i = 0; i < SIDE; i++) store(to + (SIDE * i + j) * stride + c, made[i]);
        }
    }
}

// Tiles that are worked on at once: few enough that V and M of all of them stay in the second cache.
constexpr int64_t STRIP = 32;

// From one of the matrices of a strip to the next: not a power of two, whose lines would share few places in the first
// cache.
template <typename T>
INLINE int64_t plane(int64_t channels) { return STRIP * channels + 64 / sizeof(T); }

template <typename T>
int64_t scratch(const Winograd& w) {
    return PLACES * (plane<T>(w.inputs) + plane<T>(w.outputs));
}

INLINE void clear(void* at, int64_t bytes) { __builtin_memset(at, 0, bytes); }

template <bool PAST, typename T>
INLINE void forward_tiles(Rows<const T> x, const T* u, const T* bias, const Winograd& w, int64_t begin, int64_t end,
                          Rows<T> y, T* scratch) {
    const int64_t v_plane = plane<T>(w.inputs), m_plane = plane<T>(w.outputs);
    T *v = scratch, *m = scratch + PLACES * v_plane;
    clear(v, PLACES * v_plane * sizeof(T));
    Tile from(w, begin), to = from;
    for (int64_t first = begin; first < end; first += STRIP) {
        int64_t count = least(STRIP, end - first), rows = (count + ROWS - 1) / ROWS * ROWS;
        for (int64_t t = 0; t < count; t++, from.advance(w))
            input_tile(x, w, from, v + t * w.inputs, v_plane);
        for (int64_t p = 0; p < PLACES; p++) {
            Matrix<T> left{v + p * v_plane, w.inputs, 1};
            product(left, u + p * w.inputs * w.outputs, rows, w.outputs, w.inputs, false, m + p * m_plane);
        }
        for (int64_t t = 0; t < count; t++, to.advance(w))
            output_tile<PAST>(m + t * w.outputs, m_plane, bias, w, to, y);
    }
}

template <typename T>
void forward(Rows<const T> x, const T* u, const T* bias, const Winograd& w, int64_t begin, int64_t end, Rows<T> y,
             bool past, T* scratch) {
    if (!past || y.pitch % LANES<T> || uintptr_t(y.data) % NSHOT_VECTOR)
        return forward_tiles<false>(x, u, bias, w, begin, end, y, scratch);
    forward_tiles<true>(x, u, bias, w, begin, end, y, scratch);
    _mm_sfence();
}

template <typename T>
void weight(Rows<const T> x, Rows<const T> g, const Winograd& w, int64_t begin, int64_t end, T* u, T* scratch) {
    const int64_t v_plane = plane<T>(w.inputs), m_plane = plane<T>(w.outputs);
    T *v = scratch, *m = scratch + PLACES * v_plane;
    Tile tile(w, begin);
    for (int64_t first = begin; first < end; first += STRIP) {
        int64_t count = least(STRIP, end - first);
        for (int64_t t = 0; t < count; t++, tile.advance(w)) {
            input_tile(x, w, tile, v + t * w.inputs, v_plane);
            gradient_tile(g, w, tile, m + t * w.outputs, m_plane);
        }
        for (int64_t p = 0; p < PLACES; p++) {
            Matrix<T> left{v + p * v_plane, 1, w.inputs};
            product(left, m + p * m_plane, w.inputs, w.outputs, count, true, u + p * w.inputs * w.outputs);
        }
    }
}

// Values of one input and LANES outputs, to and from vectors.
template <typename T>
INLINE V<T> gather(const T* from, int64_t distance) {
    if (distance == 1) return load(from);
    V<T> values;
    for (int64_t lane = 0; lane < LANES<T>; lane++) values[lane] = from[lane * distance];
    return values;
}

template <typename T>
INLINE void scatter(T* to, int64_t distance, const V<T>& values) {
    if (distance == 1) return store(to, values);
    for (int64_t lane = 0; lane < LANES<T>; lane++) to[lane * distance] = values[lane];
}

template <typename T>
void filters(Filters<const T> filters, const Winograd& w, int64_t begin, int64_t end, T* u) {
    const int64_t all = w.inputs * w.outputs;
    for (int64_t output = 0; output < w.outputs; output += LANES<T>) {
        for (int64_t input = begin; input < end; input++) {
            const T* from = filters.data + input * filters.input + output * filters.output;
            T* to = u + input * w.outputs + output;
            V<T> half[3][SIDE];
            for (int i = 0; i < 3; i++) {
                V<T> row[3];
                for (int j = 0; j < 3; j++)
                    row[j] = gather(from + i * filters.row + j * filters.column, filters.output);
                by_g<T>(row, half[i]);
            }
            for (int j = 0; j < SIDE; j++) {
                V<T> column[3] = {half[0][j], half[1][j], half[2][j]}, made[SIDE];
                by_g<T>(column, made);
                for (int i = 0; i < SIDE; i++) store(to + (SIDE * i + j) * all, made[i]);
            }
        }
    }
}

template <typename T>
void filters_back(const T* u, int64_t count, const Winograd& w, int64_t begin, int64_t end, Filters<T> filters) {
    const int64_t all = w.inputs * w.outputs;
    for (int64_t output = 0; output < w.outputs; output += LANES<T>) {
        for (int64_t input = begin; input < end; input++) {
            const T* from = u + input * w.outputs + output;
            T* to = filters.data + input * filters.input + output * filters.output;
            V<T> half[SIDE][3];
            for (int i = 0; i < SIDE; i++) {
                V<T> row[SIDE];
                for (int j = 0; j < SIDE; j++) {
                    row[j] = load(from + (SIDE * i + j) * all);
                    for (int64_t part = 1; part < count; part++)
                        row[j] += load(from + (PLACES * part + SIDE * i + j) * all);
                }
                by_g_back<T>(row, half[i]);
            }
            for (int j = 0; j < 3; j++) {
                V<T> column[SIDE], made[3];
                for (int i = 0; i < SIDE; i++) column[i] = half[i][j];
                by_g_back<T>(column, made);
                for (int i = 0; i < 3; i++)
                    scatter(to + i * filters.row + j * filters.column, filters.output, made[i]);
            }
        }
    }
}

template <typename T>
constexpr WinogradKernels<T> table = {LANES<T> > ROWS ? LANES<T> : ROWS, scratch<T>, filters<T>, filters_back<T>,
                                      forward<T>, weight<T>};

const WinogradKernels<float>& of_float() { return table<float>; }
const WinogradKernels<double>& of_double() { return table<double>; }

}  // namespace NSHOT_NAMED(NSHOT_KERNELS)
}  // namespace nshot
