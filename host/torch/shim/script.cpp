// Saves a TorchScript module: parameters, buffers and the source of its `forward`.

#include <torch/script.h>

#include "guarded.h"

#include <cstdint>

extern "C" char* nshot_save_script(const char* path, const char* source, const char* const* names,
                                   void* const* tensors, const int32_t* buffers, size_t count) {
    return guarded([&] {
        torch::NoGradGuard guard;
        torch::jit::Module module("Subnet");
        for (size_t i = 0; i < count; i++) {
            const auto& given = *static_cast<const at::Tensor*>(tensors[i]);
            const auto copy = given.detach().to(at::kCPU).clone(at::MemoryFormat::Contiguous);
            module.register_parameter(names[i], copy, buffers[i] != 0);
        }
        module.define(source);
        module.eval();
        module.save(path);
    });
}
