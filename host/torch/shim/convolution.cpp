// Convolutions and their gradients: by Winograd's algorithm where it applies and pays, else by libtorch.

#include "guarded.h"
#include "images.h"
#include "winograd.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>

namespace {

// Stride, padding and dilation, two numbers each.
struct Window {
    const int64_t *stride, *padding, *dilation;
    int64_t groups;

    bool is_winograd() const {
        return groups == 1 && stride[0] == 1 && stride[1] == 1 && padding[0] == 1 && padding[1] == 1 &&
               dilation[0] == 1 && dilation[1] == 1;
    }
};

#if defined(__x86_64__)
// The kernels for this processor and these channels; null if libtorch's convolution has to do.
template <typename T>
const WinogradKernels<T>* winograd(int64_t inputs, int64_t outputs) {
    constexpr bool single = std::is_same_v<T, float>;
    auto avx2 = [] { if constexpr (single) return &winograd_avx2::of_float(); else return &winograd_avx2::of_double(); };
    auto avx512 = [] { if constexpr (single) return &winograd_avx512::of_float(); else return &winograd_avx512::of_double(); };
    static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    static const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f");
    auto fits = [&](const WinogradKernels<T>* kernels) {
        return inputs % kernels->lanes == 0 && outputs % kernels->lanes == 0;
    };
    if (has_avx512 && fits(avx512())) return avx512();
    if (has_avx2 && fits(avx2())) return avx2();
    return nullptr;
}
#else
template <typename T>
const WinogradKernels<T>* winograd(int64_t, int64_t) { return nullptr; }
#endif

// Calls `body` with the kernels for images `x` and filters `[O, I, 3, 3]`; false where they do not apply.
template <typename Body>
bool with_winograd(const at::Tensor& x, const at::Tensor& weight, const Window& window, const Body& body) {
    bool fits = x.device().is_cpu() && x.dim() == 4 && weight.dim() == 4 && x.numel() > 0 && window.is_winograd() &&
                weight.size(2) == 3 && weight.size(3) == 3 && weight.size(1) == x.size(1) &&
                weight.size(0) <= MOST_CHANNELS && weight.size(1) <= MOST_CHANNELS && weight.size(0) > 0 &&
                weight.scalar_type() == x.scalar_type();
    if (!fits) return false;
    auto run = [&](auto number) {
        auto kernels = winograd<decltype(number)>(weight.size(1), weight.size(0));
        if (kernels) body(*kernels, number);
        return kernels != nullptr;
    };
    if (x.scalar_type() == at::kFloat) return run(float());
    return x.scalar_type() == at::kDouble && run(double());
}

// The filters of a tensor `[O, I, 3, 3]`.
template <typename T>
Filters<T> filters_of(const at::Tensor& weight, T* data) {
    return {data, weight.stride(1), weight.stride(0), weight.stride(2), weight.stride(3)};
}

// Those of the gradient of the input: outputs become inputs, turned by half.
template <typename T>
Filters<T> turned(const Filters<T>& f) {
    return {f.data + 2 * f.row + 2 * f.column, f.output, f.input, -f.row, -f.column};
}

// body(begin, end) on the inputs of U.
template <typename Body>
void over_inputs(const Winograd& geometry, const Body& body) {
    in_parts(geometry.inputs, PLACES * geometry.outputs, [&](int64_t begin, int64_t end, int64_t) { body(begin, end); });
}

// Bodies of in_parts go over tiles; a tile has sixteen outputs.
template <typename Body>
int64_t over_tiles(const at::Tensor& x, const Winograd& geometry, const Body& body) {
    return in_parts(x.size(0) * geometry.tiles(), OUTPUTS * OUTPUTS * std::max(geometry.inputs, geometry.outputs), body);
}

template <typename T>
at::Tensor winograd_forward(const WinogradKernels<T>& kernels, const at::Tensor& given, int64_t outputs,
                            const Filters<const T>& filters, const T* bias) {
    Winograd geometry{given.size(1), outputs, given.size(2), given.size(3)};
    Images x(given);
    auto u = at::empty({PLACES, geometry.inputs, geometry.outputs}, given.options());
    T* to = u.template mutable_data_ptr<T>();
    over_inputs(geometry, [&](int64_t begin, int64_t end) { kernels.filters(filters, geometry, begin, end, to); });
    auto y = at::empty({given.size(0), geometry.outputs, given.size(2), given.size(3)}, given.options(),
                       at::MemoryFormat::ChannelsLast);
    Images into(y);
    const bool past = is_large<T>(y.numel());
    over_tiles(given, geometry, [&](int64_t begin, int64_t end, int64_t) {
        auto scratch = at::empty({kernels.scratch(geometry)}, given.options());
        kernels.forward(x.from<T>(), to, bias, geometry, begin, end, into.into<T>(), past,
                        scratch.template mutable_data_ptr<T>());
    });
    return y;
}

template <typename T>
at::Tensor winograd_weight(const WinogradKernels<T>& kernels, const at::Tensor& given, const at::Tensor& gradient,
                           const at::Tensor& weight) {
    Winograd geometry{given.size(1), gradient.size(1), given.size(2), given.size(3)};
    Images x(given), g(gradient);
    const int64_t size = PLACES * geometry.inputs * geometry.outputs;
    auto parts = at::empty({at::get_num_threads(), size}, given.options());
    T* u = parts.template mutable_data_ptr<T>();
    int64_t count = over_tiles(given, geometry, [&](int64_t begin, int64_t end, int64_t part) {
        auto scratch = at::empty({kernels.scratch(geometry)}, given.options());
        std::fill_n(u + part * size, size, T(0));
        kernels.weight(x.from<T>(), g.from<T>(), geometry, begin, end, u + part * size,
                       scratch.template mutable_data_ptr<T>());
    });
    auto made = at::empty_like(weight);
    auto filters = filters_of(made, made.template mutable_data_ptr<T>());
    over_inputs(geometry, [&](int64_t begin, int64_t end) {
        kernels.filters_back(u, count, geometry, begin, end, filters);
    });
    return made;
}

}  // namespace

extern "C" {

// The convolution of `[N, C, H, W]`; `bias` may be null.
char* nshot_convolution(const at::Tensor* x, const at::Tensor* weight, const at::Tensor* bias, const int64_t* stride,
                        const int64_t* padding, const int64_t* dilation, int64_t groups, at::Tensor** made) {
    return guarded([&] {
        Window window{stride, padding, dilation, groups};
        at::Tensor y;
        bool done = with_winograd(*x, *weight, window, [&](const auto& kernels, auto number) {
            using T = decltype(number);
            const auto shift = bias ? bias->contiguous() : at::Tensor();
            y = winograd_forward<T>(kernels, *x, weight->size(0), filters_of(*weight, weight->const_data_ptr<T>()),
                                    bias ? shift.template const_data_ptr<T>() : nullptr);
        });
        if (!done) {
            y = at::conv2d(*x, *weight, bias ? std::optional<at::Tensor>(*bias) : std::nullopt,
                           at::IntArrayRef(stride, 2), at::IntArrayRef(padding, 2), at::IntArrayRef(dilation, 2), groups);
        }
        *made = new at::Tensor(std::move(y));
    });
}

// Gradients of a convolution's input, weight and bias; null where not wanted.
char* nshot_convolution_backward(const at::Tensor* g, const at::Tensor* input, const at::Tensor* weight,
                                 const int64_t* stride, const int64_t* padding, const int64_t* dilation,
                                 int64_t groups, const int32_t* wanted, at::Tensor** made) {
    return guarded([&] {
        Window window{stride, padding, dilation, groups};
        at::Tensor x, w, b;
        bool done = with_winograd(*input, *weight, window, [&](const auto& kernels, auto number) {
            using T = decltype(number);
            if (wanted[0]) {
                auto filters = turned(filters_of(*weight, weight->const_data_ptr<T>()));
                x = winograd_forward<T>(kernels, *g, weight->size(1), filters, nullptr);
            }
            if (wanted[1]) w = winograd_weight<T>(kernels, *input, *g, *weight);
            if (wanted[2]) b = g->sum(at::IntArrayRef({0, 2, 3}));
        });
        if (!done) {
            int64_t zero[2] = {0, 0}, outputs[1] = {weight->size(0)};
            std::tie(x, w, b) = at::convolution_backward(
                *g, *input, *weight, at::OptionalIntArrayRef(at::IntArrayRef(outputs, 1)), at::IntArrayRef(stride, 2),
                at::IntArrayRef(padding, 2), at::IntArrayRef(dilation, 2), false, at::IntArrayRef(zero, 2), groups,
                {wanted[0] != 0, wanted[1] != 0, wanted[2] != 0});
        }
        if (wanted[0]) made[0] = new at::Tensor(x);
        if (wanted[1]) made[1] = new at::Tensor(w);
        if (wanted[2]) made[2] = new at::Tensor(b);
    });
}

}  // extern "C"
