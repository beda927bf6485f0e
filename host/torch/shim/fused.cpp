// Sums of batch norms with their rectifier, and average pooling, forward and backward, in as few passes over memory as
// they take. On the CPU, for images whose channels lie side by side; others are copied first.
//
// Functions return null or an error text, as in shim.cpp; tensors given back belong to the caller.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include "guarded.h"
#include "kernels.h"

#include <cmath>
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

// One number per channel; `otherwise` where there is no tensor.
std::vector<double> numbers(const at::Tensor* tensor, int64_t channels, double otherwise) {
    if (!tensor) return std::vector<double>(channels, otherwise);
    TORCH_CHECK(tensor->numel() == channels, "expected ", channels, " numbers, found ", tensor->numel());
    auto doubles = tensor->to(at::kDouble).contiguous();
    auto data = doubles.const_data_ptr<double>();
    return std::vector<double>(data, data + channels);
}

template <typename T>
std::vector<T> rounded(const std::vector<double>& values) {
    return std::vector<T>(values.begin(), values.end());
}

template <typename T>
std::vector<T> first_row(const Images& x) {
    auto row = x.from<T>().data;
    return x.rows ? std::vector<T>(row, row + x.channels) : std::vector<T>(x.channels);
}

}  // namespace

extern "C" {

enum nshot_norm : int32_t { NO_NORM = 0, BATCH_STATISTICS = 1, GIVEN_STATISTICS = 2 };

// A term of a sum; null where there is none of a thing.
struct nshot_term {
    const at::Tensor* x;        // [N, C, H, W]
    const at::Tensor* weight;   // [C]
    const at::Tensor* bias;     // [C]
    at::Tensor* mean;           // [C], running
    at::Tensor* var;            // [C], running
    double momentum;
    double eps;
    int32_t norm;
};

}  // extern "C"

namespace {

// Mean and inverse deviation per channel of a norm.
struct Moments {
    std::vector<double> mean, inverse;
};

template <typename T>
void update_running(const nshot_term& term, const std::vector<double>& mean, const std::vector<double>& var,
                    double rows) {
    if (!term.mean || !term.var) return;
    auto move = [&](at::Tensor& running, const std::vector<double>& values, double factor) {
        TORCH_CHECK(running.is_contiguous() && running.numel() == int64_t(values.size()), "running statistics");
        T* data = running.mutable_data_ptr<T>();
        for (size_t c = 0; c < values.size(); c++)
            data[c] = T((1 - term.momentum) * data[c] + term.momentum * factor * values[c]);
    };
    move(*term.mean, mean, 1.0);
    move(*term.var, var, rows / (rows - 1));
}

template <typename T>
Moments moments_of(const nshot_term& term, const Images& x) {
    int64_t channels = x.channels;
    Moments out{std::vector<double>(channels), std::vector<double>(channels)};
    if (term.norm == GIVEN_STATISTICS) {
        out.mean = numbers(term.mean, channels, 0.0);
        out.inverse = numbers(term.var, channels, 1.0);
        for (auto& v : out.inverse) v = 1.0 / std::sqrt(v + term.eps);
        return out;
    }
    auto origin = first_row<T>(x);
    ChannelSums sums(x.rows, channels, [&](int64_t begin, int64_t end, double* sum, double* square) {
        kernels<T>().moments(x.from<T>(begin), end - begin, channels, origin.data(), sum, square);
    });
    double rows = double(x.rows);
    std::vector<double> var(channels);
    for (int64_t c = 0; c < channels; c++) {
        double offset = sums.first[c] / rows;
        out.mean[c] = double(origin[c]) + offset;
        // Rounding may leave a variance of zero a little below it; what is not a number stays.
        var[c] = sums.second[c] / rows - offset * offset;
        if (var[c] < 0) var[c] = 0;
        // Squares beyond all numbers: a deviation without end would make zeros of what has diverged.
        if (!std::isfinite(var[c])) var[c] = std::nan("");
        out.inverse[c] = 1.0 / std::sqrt(var[c] + term.eps);
    }
    update_running<T>(term, out.mean, var, rows);
    return out;
}

at::Tensor stored(const Moments& moments) {
    int64_t channels = moments.mean.size();
    auto tensor = at::empty({2, channels}, at::TensorOptions().dtype(at::kDouble));
    auto data = tensor.mutable_data_ptr<double>();
    std::copy(moments.mean.begin(), moments.mean.end(), data);
    std::copy(moments.inverse.begin(), moments.inverse.end(), data + channels);
    return tensor;
}

// What a norm multiplies by and adds, rounded the same way forward and backward.
template <typename T>
std::pair<std::vector<T>, std::vector<T>> scale_and_shift(const nshot_term& term, const Moments& moments) {
    int64_t channels = moments.mean.size();
    auto scale = numbers(term.weight, channels, 1.0), shift = numbers(term.bias, channels, 0.0);
    for (int64_t c = 0; c < channels; c++) {
        scale[c] *= moments.inverse[c];
        shift[c] -= scale[c] * moments.mean[c];
    }
    return {rounded<T>(scale), rounded<T>(shift)};
}

template <typename T>
void sum_forward(const nshot_term* terms, size_t count, Rectifier rectifier, bool want_sum, at::Tensor** sum,
                 at::Tensor** rectified, at::Tensor** statistics) {
    std::vector<Images> images;
    std::vector<std::vector<T>> factors;
    factors.reserve(2 * count);
    std::vector<AffineTerm<T>> affine;
    for (size_t i = 0; i < count; i++) {
        images.emplace_back(*terms[i].x);
        auto& x = images.back();
        TORCH_CHECK(x.rows == images[0].rows && x.channels == images[0].channels, "terms of unequal shape");
        AffineTerm<T> term{x.from<T>(), nullptr, nullptr};
        if (terms[i].norm != NO_NORM) {
            auto moments = moments_of<T>(terms[i], x);
            auto [scale, shift] = scale_and_shift<T>(terms[i], moments);
            term.scale = factors.emplace_back(std::move(scale)).data();
            term.shift = factors.emplace_back(std::move(shift)).data();
            if (terms[i].norm == BATCH_STATISTICS) statistics[i] = new at::Tensor(stored(moments));
        }
        affine.push_back(term);
    }
    if (!want_sum && rectifier == NONE) return;
    at::Tensor made_sum, made_rectified;
    if (want_sum) made_sum = room_like(*terms[0].x);
    if (rectifier != NONE) made_rectified = room_like(*terms[0].x);
    int64_t rows = images[0].rows, channels = images[0].channels;
    T* into_sum = want_sum ? made_sum.mutable_data_ptr<T>() : nullptr;
    T* into_rectified = rectifier != NONE ? made_rectified.mutable_data_ptr<T>() : nullptr;
    in_parts(rows, channels, [&](int64_t begin, int64_t end, int64_t) {
        auto part = affine;
        for (auto& term : part) term.x.data += begin * term.x.pitch;
        auto at = [&](T* data) { return data ? data + begin * channels : nullptr; };
        kernels<T>().combine(part.data(), part.size(), end - begin, channels, rectifier, at(into_sum),
                             at(into_rectified));
    });
    if (want_sum) *sum = new at::Tensor(made_sum);
    if (rectifier != NONE) *rectified = new at::Tensor(made_rectified);
}

// Gradient of a norm's input, and of its weight and bias.
template <typename T>
void norm_backward(const nshot_term& term, const at::Tensor& statistics, const Images& g, Rectifier rectifier,
                   at::Tensor& destination, at::Tensor** weight, at::Tensor** bias) {
    Images x(*term.x);
    Images out(destination);
    TORCH_CHECK(out.tensor.is_same(destination), "a gradient's place does not lie as images do");
    int64_t rows = x.rows, channels = x.channels;
    TORCH_CHECK(g.rows == rows && g.channels == channels && out.rows == rows && out.channels == channels,
                "gradients of another shape than their values");
    auto data = statistics.const_data_ptr<double>();
    Moments moments{std::vector<double>(data, data + channels),
                    std::vector<double>(data + channels, data + 2 * channels)};
    auto& mean = moments.mean;
    auto& inverse = moments.inverse;
    auto origin = rounded<T>(mean);
    auto factors = scale_and_shift<T>(term, moments);
    Mask<T> mask{rectifier, factors.first.data(), factors.second.data()};
    ChannelSums sums(rows, channels, [&](int64_t begin, int64_t end, double* sum, double* product) {
        kernels<T>().correlate(g.from<T>(begin), x.from<T>(begin), mask, end - begin, channels, origin.data(), sum,
                               product);
    });
    auto scale = numbers(term.weight, channels, 1.0);
    std::vector<double> a(channels), b(channels), d(channels), dweight(channels);
    for (int64_t c = 0; c < channels; c++) {
        double shift = double(origin[c]) - mean[c];
        double product = sums.second[c] + shift * sums.first[c];
        dweight[c] = inverse[c] * product;
        a[c] = scale[c] * inverse[c];
        b[c] = -a[c] * inverse[c] * inverse[c] * product / double(rows);
        d[c] = -a[c] * sums.first[c] / double(rows) + b[c] * shift;
    }
    auto ta = rounded<T>(a), tb = rounded<T>(b), td = rounded<T>(d);
    in_parts(rows, channels, [&](int64_t begin, int64_t end, int64_t) {
        kernels<T>().spread(g.from<T>(begin), x.from<T>(begin), mask, end - begin, channels, origin.data(), ta.data(),
                            tb.data(), td.data(), out.into<T>(begin));
    });
    auto made = [&](const std::vector<double>& values) {
        auto tensor = at::empty({channels}, term.x->options());
        std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<T>());
        return new at::Tensor(tensor);
    };
    if (term.weight) *weight = made(dweight);
    if (term.bias) *bias = made(sums.first);
}

template <typename T>
at::Tensor gathered(const std::vector<Images>& direct, const std::vector<Images>& masked, const at::Tensor* rectified,
                    Rectifier rectifier) {
    const auto& any = direct.empty() ? masked.at(0) : direct[0];
    auto g = room_like(any.tensor);
    int64_t channels = any.channels;
    T* into = g.template mutable_data_ptr<T>();
    const T* mask = rectified ? rectified->const_data_ptr<T>() : nullptr;
    in_parts(any.rows, channels, [&](int64_t begin, int64_t end, int64_t) {
        auto from = [&](const std::vector<Images>& all) {
            std::vector<Rows<const T>> rows;
            for (const auto& images : all) {
                TORCH_CHECK(images.rows == any.rows && images.channels == channels, "gradients of unequal shape");
                rows.push_back(images.from<T>(begin));
            }
            return rows;
        };
        auto first = from(direct), second = from(masked);
        kernels<T>().gather(first.data(), first.size(), second.data(), second.size(),
                            mask ? mask + begin * channels : nullptr, rectifier, end - begin, channels,
                            into + begin * channels);
    });
    return g;
}

std::vector<Images> images_of(const at::Tensor* const* tensors, size_t count) {
    std::vector<Images> out;
    for (size_t i = 0; i < count; i++) out.emplace_back(*tensors[i]);
    return out;
}

template <typename T>
std::vector<T> pool_weights(const Pool& pool, bool count_include_pad) {
    auto counts = [&](int64_t out, int64_t size, int side) {
        std::vector<int64_t> counts;
        for (int64_t i = 0; i < out; i++) {
            int64_t start = i * pool.stride[side] - pool.padding[side];
            int64_t end = std::min(start + pool.kernel[side], size + pool.padding[side]);
            if (!count_include_pad) {
                start = std::max<int64_t>(start, 0);
                end = std::min(end, size);
            }
            counts.push_back(std::max<int64_t>(end - start, 0));
        }
        return counts;
    };
    auto heights = counts(pool.out_height, pool.height, 0), widths = counts(pool.out_width, pool.width, 1);
    std::vector<T> weights;
    for (auto h : heights)
        for (auto w : widths) weights.push_back(h * w ? T(1.0 / double(h * w)) : T(0));
    return weights;
}

template <typename Body>
void by_type(const at::Tensor& tensor, const Body& body) {
    if (tensor.scalar_type() == at::kFloat) body(float());
    else if (tensor.scalar_type() == at::kDouble) body(double());
    else TORCH_CHECK(false, "expected 32 or 64 bit numbers, found ", tensor.scalar_type());
}

}  // namespace

extern "C" {

// `statistics`: one place per term. What is not made stays null.
char* nshot_sum_forward(const nshot_term* terms, size_t count, int32_t rectifier, int32_t want_sum, at::Tensor** sum,
                        at::Tensor** rectified, at::Tensor** statistics) {
    return guarded([&] {
        by_type(*terms[0].x, [&](auto number) {
            sum_forward<decltype(number)>(terms, count, Rectifier(rectifier), want_sum != 0, sum, rectified,
                                          statistics);
        });
    });
}

// The gradient at the sum: `direct` gradients of the sum itself, `masked` ones of the rectified value.
char* nshot_gather(const at::Tensor* const* direct, size_t direct_count, const at::Tensor* const* masked,
                   size_t masked_count, const at::Tensor* rectified, int32_t rectifier, at::Tensor** g) {
    return guarded([&] {
        auto first = images_of(direct, direct_count), second = images_of(masked, masked_count);
        by_type(first.empty() ? second.at(0).tensor : first[0].tensor, [&](auto number) {
            *g = new at::Tensor(gathered<decltype(number)>(first, second, rectified, Rectifier(rectifier)));
        });
    });
}

// The gradient of the input of one norm with the batch's statistics, into `destination`; `g` is that of the rectified
// norm where there is a rectifier.
char* nshot_norm_backward(const nshot_term* term, const at::Tensor* statistics, const at::Tensor* g, int32_t rectifier,
                          at::Tensor* destination, at::Tensor** weight, at::Tensor** bias) {
    return guarded([&] {
        by_type(*g, [&](auto number) {
            norm_backward<decltype(number)>(*term, *statistics, Images(*g), Rectifier(rectifier), *destination, weight,
                                            bias);
        });
    });
}

// Average pooling to `[N, C, sizes[0], sizes[1]]`, or back from there to these sizes.
char* nshot_average_pool(const at::Tensor* given, int32_t back, const int64_t* kernel, const int64_t* stride,
                         const int64_t* padding, int32_t count_include_pad, const int64_t* sizes, at::Tensor** made) {
    return guarded([&] {
        Images x(*given);
        auto out = room_like(*given, sizes[0], sizes[1]);
        Pool pool{x.channels, given->size(2), given->size(3), sizes[0], sizes[1], {kernel[0], kernel[1]},
                  {stride[0], stride[1]}, {padding[0], padding[1]}};
        if (back) {
            std::swap(pool.height, pool.out_height);
            std::swap(pool.width, pool.out_width);
        }
        int64_t lines = given->size(0) * sizes[0];
        by_type(*given, [&](auto number) {
            using T = decltype(number);
            auto weights = pool_weights<T>(pool, count_include_pad != 0);
            T* into = out.template mutable_data_ptr<T>();
            auto run = back ? kernels<T>().pool_back : kernels<T>().pool;
            in_parts(lines, sizes[1] * x.channels, [&](int64_t begin, int64_t end, int64_t) {
                run(x.from<T>(), pool, weights.data(), begin, end, into);
            });
        });
        *made = new at::Tensor(out);
    });
}

// Gradients of a convolution's input, weight and bias; null where not wanted.
char* nshot_convolution_backward(const at::Tensor* g, const at::Tensor* input, const at::Tensor* weight,
                                 const int64_t* stride, const int64_t* padding, const int64_t* dilation,
                                 int64_t groups, const int32_t* wanted, at::Tensor** made) {
    return guarded([&] {
        int64_t zero[2] = {0, 0}, bias[1] = {weight->size(0)};
        auto [x, w, b] = at::convolution_backward(
            *g, *input, *weight, at::OptionalIntArrayRef(at::IntArrayRef(bias, 1)), at::IntArrayRef(stride, 2),
            at::IntArrayRef(padding, 2), at::IntArrayRef(dilation, 2), false, at::IntArrayRef(zero, 2), groups,
            {wanted[0] != 0, wanted[1] != 0, wanted[2] != 0});
        if (wanted[0]) made[0] = new at::Tensor(x);
        if (wanted[1]) made[1] = new at::Tensor(w);
        if (wanted[2]) made[2] = new at::Tensor(b);
    });
}

// The gradient of the weight `[C, 1, kh, kw]` of a convolution that keeps channels apart.
char* nshot_depthwise_weight(const at::Tensor* g, const at::Tensor* input, const int64_t* kernel, const int64_t* stride,
                             const int64_t* padding, const int64_t* dilation, at::Tensor** made) {
    return guarded([&] {
        Images x(*input), y(*g);
        TORCH_CHECK(x.channels == y.channels && input->size(0) == g->size(0), "gradient of another shape");
        Depthwise geometry{x.channels, input->size(2), input->size(3), g->size(2), g->size(3),
                           {kernel[0], kernel[1]}, {stride[0], stride[1]}, {padding[0], padding[1]},
                           {dilation[0], dilation[1]}};
        int64_t images = input->size(0), count = kernel[0] * kernel[1] * x.channels;
        by_type(*g, [&](auto number) {
            using T = decltype(number);
            std::vector<double> parts(count * at::get_num_threads());
            int64_t used = in_parts(images, x.rows / images * x.channels, [&](int64_t begin, int64_t end, int64_t part) {
                kernels<T>().depthwise(x.from<T>(), y.from<T>(), geometry, begin, end, parts.data() + part * count);
            });
            auto weight = at::empty({kernel[0], kernel[1], 1, x.channels}, g->options());
            T* into = weight.template mutable_data_ptr<T>();
            for (int64_t i = 0; i < count; i++) {
                double sum = 0;
                for (int64_t part = 0; part < used; part++) sum += parts[part * count + i];
                into[i] = T(sum);
            }
            *made = new at::Tensor(weight.permute({3, 2, 0, 1}).contiguous(input->suggest_memory_format()));
        });
    });
}

// Gradients of `outputs` by `inputs`, recorded by autograd; null where an input plays no part.
char* nshot_autograd(const at::Tensor* const* outputs, const at::Tensor* const* gradients, size_t output_count,
                     const at::Tensor* const* inputs, size_t input_count, at::Tensor** made) {
    return guarded([&] {
        std::vector<at::Tensor> from, seeds, to;
        for (size_t i = 0; i < output_count; i++) {
            from.push_back(*outputs[i]);
            seeds.push_back(*gradients[i]);
        }
        for (size_t i = 0; i < input_count; i++) to.push_back(*inputs[i]);
        auto found = torch::autograd::grad(from, to, seeds, std::nullopt, false, true);
        for (size_t i = 0; i < input_count; i++)
            if (found[i].defined()) made[i] = new at::Tensor(found[i].detach());
    });
}

// Adds to a parameter's gradient; the first one is taken as it is.
char* nshot_accumulate(at::Tensor* parameter, const at::Tensor* gradient) {
    return guarded([&] {
        auto& own = parameter->mutable_grad();
        if (own.defined()) own.add_(*gradient);
        else own = *gradient;
    });
}

}  // extern "C"
