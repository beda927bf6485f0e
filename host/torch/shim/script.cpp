// Saves a TorchScript module: parameters, buffers and the source of its `forward`.
//
// As in shim.cpp: null or an error text that the caller frees with nshot_free, and no exception leaves.

#include <torch/script.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace {

char* error_text(const std::string& text) {
    char* out = static_cast<char*>(std::malloc(text.size() + 1));
    if (!out) std::abort();
    std::memcpy(out, text.c_str(), text.size() + 1);
    return out;
}

}  // namespace

extern "C" char* nshot_save_script(const char* path, const char* source, const char* const* names,
                                   void* const* tensors, const int32_t* buffers, size_t count) {
    try {
        torch::NoGradGuard guard;
        torch::jit::Module module("Subnet");
        for (size_t i = 0; i < count; i++) {
            const auto& given = *static_cast<const at::Tensor*>(tensors[i]);
            module.register_parameter(names[i], given.detach().to(at::kCPU).clone(at::MemoryFormat::Contiguous), buffers[i] != 0);
        }
        module.define(source);
        module.eval();
        module.save(path);
        return nullptr;
    } catch (const c10::Error& e) {
        return error_text(e.what_without_backtrace());
    } catch (const std::exception& e) {
        return error_text(e.what());
    } catch (...) {
        return error_text("an exception of unknown type");
    }
}
