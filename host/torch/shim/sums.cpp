// Sums of batch norms with their rectifier, forward and backward, in as few passes over memory as they take. On the CPU,
// for images whose channels lie side by side; others are copied first.
//
// Functions return null or an error text, as in shim.cpp; tensors given back belong to the caller.

#include "guarded.h"
#include "images.h"

#include <cmath>
#include <utility>

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
    const bool past = is_large<T>(rows * channels);
    in_parts(rows, channels, [&](int64_t begin, int64_t end, int64_t) {
        auto part = affine;
        for (auto& term : part) term.x.data += begin * term.x.pitch;
        auto at = [&](T* data) { return data ? data + begin * channels : nullptr; };
        kernels<T>().combine(part.data(), part.size(), end - begin, channels, rectifier, at(into_sum),
                             at(into_rectified), past);
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

}  // extern "C"
