#include "kernels.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

// The file is compiled with NSHOT_KERNELS naming the variant.
#define NSHOT_JOIN(a, b) a##b
#define NSHOT_NAMED(variant) NSHOT_JOIN(kernels_, variant)

namespace nshot {
namespace NSHOT_NAMED(NSHOT_KERNELS) {

#define INLINE static inline __attribute__((always_inline))
#define INLINE_MEMBER inline __attribute__((always_inline))

// 32 bytes of numbers.
template <typename T>
struct Vector {
    typedef T type __attribute__((vector_size(32)));
    static constexpr int64_t size = 32 / sizeof(T);
};

template <typename V, typename T>
INLINE void load(V& to, const T* from) { __builtin_memcpy(&to, from, sizeof(V)); }

template <typename V, typename T>
INLINE void store(T* to, const V& from) { __builtin_memcpy(to, &from, sizeof(V)); }

// One channel instead of a vector of them.
template <typename T>
struct Single {
    typedef T type;
    static constexpr int64_t size = 1;
};

// Rows that stay in the first cache between the passes over them; also the length of sums in the type itself.
constexpr int64_t BLOCK = 64;

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Calls body.template run<Lanes>(channel) for all channels, by vectors as long as they last.
template <typename T, typename Body>
INLINE void over_channels(int64_t channels, const Body& body) {
    int64_t c = 0;
    for (; c + Vector<T>::size <= channels; c += Vector<T>::size) body(Vector<T>(), c);
    for (; c < channels; c++) body(Single<T>(), c);
}

template <typename T, typename Body>
INLINE void over_blocks(int64_t rows, int64_t channels, const Body& body) {
    for (int64_t begin = 0; begin < rows; begin += BLOCK) {
        int64_t end = least(begin + BLOCK, rows);
        over_channels<T>(channels, [&](auto lanes, int64_t c) __attribute__((always_inline)) { body(lanes, begin, end, c); });
    }
}

// Whether the variant can write past the caches.
#if defined(__AVX__)
constexpr bool STREAMS = true;
#else
constexpr bool STREAMS = false;
#endif

// Numbers that stay in the first cache until they are written past all caches.
constexpr int64_t NEAR = 2048;

template <typename T>
INLINE bool is_aligned(const T* at) { return uintptr_t(at) % 32 == 0; }

// Writes whole lines past the caches, so that what was there is not read first. `to` and `from` begin at multiples of 32
// bytes, and `count` is a multiple of a vector.
template <typename T>
INLINE void stream(T* to, const T* from, int64_t count) {
#if defined(__AVX__)
    for (int64_t i = 0; i < count; i += Vector<T>::size)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                            _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i)));
#endif
}

// What was streamed is seen by other threads before what follows.
INLINE void fence() {
#if defined(__AVX__)
    _mm_sfence();
#endif
}

template <typename V>
INLINE void add_lanes(double* to, const V& values, int64_t count) {
    if constexpr (sizeof(V) <= sizeof(double)) {
        *to += values;
    } else {
        for (int64_t i = 0; i < count; i++) to[i] += values[i];
    }
}

// What is not a number stays so, as with ATen: a training that diverges has to show it.
template <typename V>
INLINE V rectify(const V& x, Rectifier rectifier) {
    V zero = {};
    V y = x < zero ? zero : x;
    if (rectifier == RELU6) {
        V six = V{} + 6;
        y = y > six ? six : y;
    }
    return y;
}

// `g` where the rectified value says that the slope is 1.
template <typename V>
INLINE V let_through(const V& g, const V& rectified, Rectifier rectifier) {
    V zero = {};
    V kept = rectified <= zero ? zero : g;
    if (rectifier == RELU6) {
        V six = V{} + 6;
        kept = rectified >= six ? zero : kept;
    }
    return kept;
}

template <typename T>
void moments(Rows<const T> x, int64_t rows, int64_t channels, const T* origin, double* sum, double* square) {
    over_blocks<T>(rows, channels, [&](auto lanes, int64_t begin, int64_t end, int64_t c) __attribute__((always_inline)) {
        typedef typename decltype(lanes)::type V;
        V k, s0 = {}, s1 = {}, q0 = {}, q1 = {};
        load(k, origin + c);
        int64_t r = begin;
        for (; r + 1 < end; r += 2) {
            V a, b;
            load(a, x.data + r * x.pitch + c);
            load(b, x.data + (r + 1) * x.pitch + c);
            a -= k;
            b -= k;
            s0 += a;
            s1 += b;
            q0 += a * a;
            q1 += b * b;
        }
        if (r < end) {
            V a;
            load(a, x.data + r * x.pitch + c);
            a -= k;
            s0 += a;
            q0 += a * a;
        }
        add_lanes(sum + c, V(s0 + s1), lanes.size);
        add_lanes(square + c, V(q0 + q1), lanes.size);
    });
}

// Up to three terms in registers; `first`: nothing is in `out` yet.
template <int COUNT, typename T, typename L>
INLINE void add_terms(const AffineTerm<T>* terms, L, bool first, int64_t begin, int64_t end, int64_t c,
                      int64_t channels, T* out) {
    typedef typename L::type V;
    V scale[COUNT], shift = {};
    for (int t = 0; t < COUNT; t++) {
        scale[t] = V{} + 1;
        if (terms[t].scale) {
            V s;
            load(scale[t], terms[t].scale + c);
            load(s, terms[t].shift + c);
            shift += s;
        }
    }
    for (int64_t r = begin; r < end; r++) {
        V y = shift;
        for (int t = 0; t < COUNT; t++) {
            V x;
            load(x, terms[t].x.data + r * terms[t].x.pitch + c);
            y += scale[t] * x;
        }
        T* at = out + (r - begin) * channels + c;
        if (!first) {
            V before;
            load(before, at);
            y += before;
        }
        store(at, y);
    }
}

// The sum of the terms for some rows.
template <typename T>
INLINE void combine_rows(const AffineTerm<T>* terms, int64_t count, int64_t begin, int64_t end, int64_t channels,
                         T* out) {
    over_channels<T>(channels, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        for (int64_t t = 0; t < count; t += 3) {
            switch (count - t) {
                case 1: add_terms<1>(terms + t, lanes, t == 0, begin, end, c, channels, out); break;
                case 2: add_terms<2>(terms + t, lanes, t == 0, begin, end, c, channels, out); break;
                default: add_terms<3>(terms + t, lanes, t == 0, begin, end, c, channels, out);
            }
        }
    });
}

template <typename T>
INLINE void rectify_all(const T* from, int64_t count, Rectifier rectifier, T* to) {
    over_channels<T>(count, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        typename decltype(lanes)::type y;
        load(y, from + c);
        store(to + c, rectify(y, rectifier));
    });
}

template <typename T>
void combine(const AffineTerm<T>* terms, int64_t count, int64_t rows, int64_t channels, Rectifier rectifier, T* sum,
             T* rectified, bool past) {
    alignas(32) T near[NEAR];
    past = STREAMS && past && channels <= NEAR && is_aligned(sum) && is_aligned(rectified) && channels % Vector<T>::size == 0;
    const int64_t block = past ? NEAR / channels : BLOCK;
    for (int64_t begin = 0; begin < rows; begin += block) {
        const int64_t end = least(begin + block, rows), all = (end - begin) * channels;
        T* const into_sum = sum ? sum + begin * channels : nullptr;
        T* const into_rectified = rectified ? rectified + begin * channels : nullptr;
        T* const out = past ? near : into_sum ? into_sum : into_rectified;
        combine_rows(terms, count, begin, end, channels, out);
        if (past && sum) stream(into_sum, out, all);
        if (rectified) rectify_all(out, all, rectifier, past ? near : into_rectified);
        if (past && rectified) stream(into_rectified, near, all);
    }
    if (past) fence();
}

template <typename T>
void gather(const Rows<const T>* direct, int64_t direct_count, const Rows<const T>* masked, int64_t masked_count,
            const T* rectified, Rectifier rectifier, int64_t rows, int64_t channels, T* g) {
    over_blocks<T>(rows, channels, [&](auto lanes, int64_t begin, int64_t end, int64_t c) __attribute__((always_inline)) {
        typedef typename decltype(lanes)::type V;
        for (int64_t r = begin; r < end; r++) {
            V y = {}, x;
            for (int64_t i = 0; i < masked_count; i++) {
                load(x, masked[i].data + r * masked[i].pitch + c);
                y += x;
            }
            if (masked_count) {
                load(x, rectified + r * channels + c);
                y = let_through(y, x, rectifier);
            }
            for (int64_t i = 0; i < direct_count; i++) {
                load(x, direct[i].data + r * direct[i].pitch + c);
                y += x;
            }
            store(g + r * channels + c, y);
        }
    });
}

// A mask for one set of channels.
template <typename V, typename T>
struct LaneMask {
    Rectifier rectifier;
    V scale, shift;

    INLINE_MEMBER LaneMask(const Mask<T>& mask, int64_t c) : rectifier(mask.rectifier), scale(), shift() {
        if (rectifier == NONE) return;
        load(scale, mask.scale + c);
        load(shift, mask.shift + c);
    }

    INLINE_MEMBER V operator()(const V& g, const V& x) const {
        return rectifier == NONE ? g : let_through(g, V(shift + scale * x), rectifier);
    }
};

template <typename T>
void correlate(Rows<const T> g, Rows<const T> x, const Mask<T>& mask, int64_t rows, int64_t channels, const T* origin,
               double* sum, double* product) {
    over_blocks<T>(rows, channels, [&](auto lanes, int64_t begin, int64_t end, int64_t c) __attribute__((always_inline)) {
        typedef typename decltype(lanes)::type V;
        V k, s = {}, p = {};
        load(k, origin + c);
        LaneMask<V, T> masked(mask, c);
        for (int64_t r = begin; r < end; r++) {
            V a, b;
            load(a, g.data + r * g.pitch + c);
            load(b, x.data + r * x.pitch + c);
            a = masked(a, b);
            s += a;
            p += a * (b - k);
        }
        add_lanes(sum + c, s, lanes.size);
        add_lanes(product + c, p, lanes.size);
    });
}

template <typename T>
void spread(Rows<const T> g, Rows<const T> x, const Mask<T>& mask, int64_t rows, int64_t channels, const T* origin,
            const T* a, const T* b, const T* d, Rows<T> out) {
    over_blocks<T>(rows, channels, [&](auto lanes, int64_t begin, int64_t end, int64_t c) __attribute__((always_inline)) {
        typedef typename decltype(lanes)::type V;
        V k, va, vb, vd;
        load(k, origin + c);
        load(va, a + c);
        load(vb, b + c);
        load(vd, d + c);
        LaneMask<V, T> masked(mask, c);
        for (int64_t r = begin; r < end; r++) {
            V vg, vx;
            load(vg, g.data + r * g.pitch + c);
            load(vx, x.data + r * x.pitch + c);
            store(out.data + r * out.pitch + c, V(va * masked(vg, vx) + vb * (vx - k) + vd));
        }
    });
}

#include "kernels_windows.h"

template <typename T>
constexpr Kernels<T> table = {moments<T>, combine<T>, gather<T>, correlate<T>, spread<T>, pool<T>, pool_back<T>,
                              depthwise<T>};

const Kernels<float>& of_float() { return table<float>; }
const Kernels<double>& of_double() { return table<double>; }

}  // namespace NSHOT_NAMED(NSHOT_KERNELS)
}  // namespace nshot
