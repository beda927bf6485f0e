// Average pooling, forward and backward, and the weight gradient of depthwise convolutions; as sums.cpp.

#include "guarded.h"
#include "images.h"

#include <utility>

namespace {

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

}  // namespace

extern "C" {

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

}  // extern "C"
