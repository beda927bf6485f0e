// What tch lacks of gradients: those of a convolution, those that autograd recorded, and those of parameters.
//
// Functions return null or an error text, as in shim.cpp; tensors given back belong to the caller.

#include <ATen/core/Tensor.h>
#include <ATen/ops/convolution_backward.h>
#include <torch/csrc/autograd/autograd.h>

#include "guarded.h"

#include <cstdint>
#include <vector>

extern "C" {

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
