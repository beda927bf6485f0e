// Memory of tensors on the processor: malloc's, at multiples of 64 bytes.
//
// libtorch asks for such places by posix_memalign, which cuts each from a larger block. What then comes free is too small
// for the next tensor of that size, so that memory is used up where tensors of a few sizes come and go. Here all blocks of
// one size are alike, and each is taken again.

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t ALIGNMENT = 64;

class Aligned final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t size) override {
        if (size == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
        TORCH_CHECK(size < SIZE_MAX / 2, "no machine has ", size, " bytes");
        void* block = std::malloc(size + ALIGNMENT);
        TORCH_CHECK(block, "no memory left for ", size, " bytes");
        uintptr_t place = (reinterpret_cast<uintptr_t>(block) / ALIGNMENT + 1) * ALIGNMENT;
        // malloc's places are multiples of 16, so that there is room for one pointer before the next multiple of 64.
        void** memory = reinterpret_cast<void**>(place);
        memory[-1] = block;
        return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override { return &release; }

    void copy_data(void* to, const void* from, size_t count) const override { std::memcpy(to, from, count); }

private:
    static void release(void* memory) {
        if (memory) std::free(static_cast<void**>(memory)[-1]);
    }
};

}  // namespace

void use_aligned_memory() {
    // Never destroyed: tensors may outlive everything.
    static auto* allocator = new Aligned;
    c10::SetCPUAllocator(allocator, /*priority=*/1);
}
