// What tch lacks of gradients: those that autograd recorded, and those of parameters.
//
// Functions return null or an error text, as in shim.cpp; tensors given back belong to the caller.

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include "guarded.h"

#include <cstdint>
#include <vector>

extern "C" {

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
