// Images on the CPU as rows of channels, and passes over them in parts, one for each thread.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "kernels.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace {

using namespace nshot;

template <typename T>
const Kernels<T>& kernels() {
    constexpr bool single = std::is_same_v<T, float>;
    auto base = [] { if constexpr (single) return &kernels_base::of_float(); else return &kernels_base::of_double(); };
#if defined(__x86_64__)
    auto avx2 = [] { if constexpr (single) return &kernels_avx2::of_float(); else return &kernels_avx2::of_double(); };
    static const Kernels<T>* chosen =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2() : base();
#else
    static const Kernels<T>* chosen = base();
#endif
    return *chosen;
}

// A tensor `[N, C, H, W]` as rows of channels; holds the copy where one was needed.
struct Images {
    at::Tensor tensor;
    int64_t rows, channels, pitch;

    explicit Images(const at::Tensor& given) : tensor(given) {
        TORCH_CHECK(given.dim() == 4, "expected a tensor of four dimensions, found ", given.dim());
        channels = given.size(1);
        rows = given.size(0) * given.size(2) * given.size(3);
        if (!find_pitch()) {
            tensor = given.contiguous(at::MemoryFormat::ChannelsLast);
            pitch = channels;
        }
    }

    template <typename T>
    Rows<const T> from(int64_t row = 0) const {
        return {tensor.const_data_ptr<T>() + row * pitch, pitch};
    }

    template <typename T>
    Rows<T> into(int64_t row = 0) const {
        return {tensor.mutable_data_ptr<T>() + row * pitch, pitch};
    }

   private:
    bool find_pitch() {
        auto n = tensor.size(0), h = tensor.size(2), w = tensor.size(3);
        pitch = w > 1 ? tensor.stride(3) : h > 1 ? tensor.stride(2) : n > 1 ? tensor.stride(0) : channels;
        return (channels == 1 || tensor.stride(1) == 1) && pitch >= channels &&
               (h == 1 || tensor.stride(2) == w * pitch) && (n == 1 || tensor.stride(0) == h * w * pitch);
    }
};

at::Tensor room_like(const at::Tensor& x, int64_t height, int64_t width) {
    return at::empty({x.size(0), x.size(1), height, width}, x.options(), at::MemoryFormat::ChannelsLast);
}
at::Tensor room_like(const at::Tensor& x) { return room_like(x, x.size(2), x.size(3)); }

// Whether so many numbers are written past the caches: most would be gone from there before they are read.
template <typename T>
bool is_large(int64_t count) { return count * int64_t(sizeof(T)) >= 8 << 20; }

// Elements that are worth a thread of their own.
constexpr int64_t GRAIN = 16384;

// body(begin, end, part) on equal parts of the rows: the same parts whenever the number of threads is the same.
template <typename Body>
int64_t in_parts(int64_t rows, int64_t channels, const Body& body) {
    int64_t parts = std::min<int64_t>(at::get_num_threads(), rows * channels / GRAIN);
    parts = std::max<int64_t>(parts, 1);
    if (parts == 1) {
        body(0, rows, 0);
        return 1;
    }
    at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; part++) body(rows * part / parts, rows * (part + 1) / parts, part);
    });
    return parts;
}

// Two sums per channel, in double precision, taken over the rows in parts.
struct ChannelSums {
    std::vector<double> first, second;

    template <typename Body>
    ChannelSums(int64_t rows, int64_t channels, const Body& body) : first(channels), second(channels) {
        std::vector<double> parts(2 * channels * at::get_num_threads());
        int64_t count = in_parts(rows, channels, [&](int64_t begin, int64_t end, int64_t part) {
            double* own = parts.data() + 2 * channels * part;
            body(begin, end, own, own + channels);
        });
        for (int64_t part = 0; part < count; part++) {
            for (int64_t c = 0; c < channels; c++) {
                first[c] += parts[2 * channels * part + c];
                second[c] += parts[2 * channels * part + channels + c];
            }
        }
    }
};

template <typename Body>
void by_type(const at::Tensor& tensor, const Body& body) {
    if (tensor.scalar_type() == at::kFloat) body(float());
    else if (tensor.scalar_type() == at::kDouble) body(double());
    else TORCH_CHECK(false, "expected 32 or 64 bit numbers, found ", tensor.scalar_type());
}

}  // namespace
