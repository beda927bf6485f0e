// Average pooling and the weight gradient of depthwise convolutions. Included by kernels.cpp inside of a variant's
// namespace, after its vectors.
#pragma once

template <typename T>
void pool(Rows<const T> x, const Pool& p, const T* weight, int64_t begin, int64_t end, T* out) {
    for (int64_t line = begin; line < end; line++) {
        int64_t image = line / p.out_height, oh = line % p.out_height;
        int64_t h0 = oh * p.stride[0] - p.padding[0];
        int64_t top = most(h0, 0), bottom = least(h0 + p.kernel[0], p.height);
        for (int64_t ow = 0; ow < p.out_width; ow++) {
            int64_t w0 = ow * p.stride[1] - p.padding[1];
            int64_t left = most(w0, 0), right = least(w0 + p.kernel[1], p.width);
            const T factor = weight[oh * p.out_width + ow];
            T* to = out + (line * p.out_width + ow) * p.channels;
            over_channels<T>(p.channels, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
                typename decltype(lanes)::type y = {}, v;
                for (int64_t h = top; h < bottom; h++) {
                    const T* row = x.data + (image * p.height + h) * p.width * x.pitch + c;
                    for (int64_t w = left; w < right; w++) {
                        load(v, row + w * x.pitch);
                        y += v;
                    }
                }
                y *= factor;
                store(to + c, y);
            });
        }
    }
}

template <typename T>
void pool_back(Rows<const T> g, const Pool& p, const T* weight, int64_t begin, int64_t end, T* out) {
    // Windows that hold the position `at`.
    auto first = [](int64_t at, int64_t kernel, int64_t stride) __attribute__((always_inline)) {
        return at < kernel ? 0 : (at - kernel) / stride + 1;
    };
    for (int64_t line = begin; line < end; line++) {
        int64_t image = line / p.height, h = line % p.height + p.padding[0];
        int64_t top = first(h, p.kernel[0], p.stride[0]), bottom = least(h / p.stride[0] + 1, p.out_height);
        for (int64_t at = 0; at < p.width; at++) {
            int64_t w = at + p.padding[1];
            int64_t left = first(w, p.kernel[1], p.stride[1]), right = least(w / p.stride[1] + 1, p.out_width);
            T* to = out + (line * p.width + at) * p.channels;
            over_channels<T>(p.channels, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
                typename decltype(lanes)::type y = {}, v;
                for (int64_t oh = top; oh < bottom; oh++) {
                    const T* row = g.data + (image * p.out_height + oh) * p.out_width * g.pitch + c;
                    for (int64_t ow = left; ow < right; ow++) {
                        load(v, row + ow * g.pitch);
                        y += v * weight[oh * p.out_width + ow];
                    }
                }
                store(to + c, y);
            });
        }
    }
}

// One row of a kernel, up to `WIDTH` wide, over the rows of one image.
template <int WIDTH, typename T, typename L>
INLINE void depthwise_row(Rows<const T> x, Rows<const T> g, const Depthwise& d, L lanes, int64_t image, int64_t kh,
                          int64_t first, int64_t count, int64_t c, double* weight) {
    typedef typename L::type V;
    V sums[WIDTH] = {};
    for (int64_t oh = 0; oh < d.out_height; oh++) {
        int64_t h = oh * d.stride[0] - d.padding[0] + kh * d.dilation[0];
        if (h < 0 || h >= d.height) continue;
        const T* from = x.data + (image * d.height + h) * d.width * x.pitch + c;
        const T* with = g.data + (image * d.out_height + oh) * d.out_width * g.pitch + c;
        for (int64_t ow = 0; ow < d.out_width; ow++) {
            int64_t w = ow * d.stride[1] - d.padding[1] + first * d.dilation[1];
            V vg, vx;
            load(vg, with + ow * g.pitch);
            for (int kw = 0; kw < WIDTH; kw++) {
                int64_t at = w + kw * d.dilation[1];
                if (kw >= count || at < 0 || at >= d.width) continue;
                load(vx, from + at * x.pitch);
                sums[kw] += vg * vx;
            }
        }
    }
    for (int kw = 0; kw < WIDTH; kw++)
        if (kw < count) add_lanes(weight + (kh * d.kernel[1] + first + kw) * d.channels + c, sums[kw], lanes.size);
}

template <typename T>
void depthwise(Rows<const T> x, Rows<const T> g, const Depthwise& d, int64_t begin, int64_t end, double* weight) {
    for (int64_t image = begin; image < end; image++) {
        over_channels<T>(d.channels, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
            for (int64_t kh = 0; kh < d.kernel[0]; kh++) {
                for (int64_t first = 0; first < d.kernel[1]; first += 7) {
                    int64_t count = least(7, d.kernel[1] - first);
                    if (count <= 3) depthwise_row<3>(x, g, d, lanes, image, kh, first, count, c, weight);
                    else if (count <= 5) depthwise_row<5>(x, g, d, lanes, image, kh, first, count, c, weight);
                    else depthwise_row<7>(x, g, d, lanes, image, kh, first, count, c, weight);
                }
            }
        });
    }
}
