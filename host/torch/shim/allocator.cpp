// Memory of tensors on the processor: large buffers are kept for the next tensors of about their size. Returning them to
// the system would cost thousands of page faults a step; malloc keeps them too, but leaves more of them unused.

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>

namespace {

// Smaller buffers are malloc's.
constexpr size_t LARGE = size_t(1) << 16;
constexpr size_t PAGE = 4096;
// The share of what was needed at once that is held beyond it.
constexpr size_t SPARE = 16;

// Stands before each tensor's memory, which so begins at a multiple of 64 bytes, as vector instructions like it.
struct alignas(64) Header {
    size_t size;  // Of the buffer, with this.
};

class Keeping final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t size) override {
        void* memory = nullptr;
        if (size > 0) {
            TORCH_CHECK(size < SIZE_MAX / 2, "no machine has ", size, " bytes");
            size += sizeof(Header);
            void* buffer = size < LARGE ? small(size) : large(size);
            TORCH_CHECK(buffer, "no memory left for ", size, " bytes");
            memory = new (buffer) Header{size} + 1;
        }
        return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override { return &release; }

    void copy_data(void* to, const void* from, size_t count) const override { std::memcpy(to, from, count); }

    // Never destroyed: tensors may outlive everything.
    static Keeping& only() {
        static auto* allocator = new Keeping;
        return *allocator;
    }

private:
    std::mutex mutex;
    // Large buffers that no tensor has, by size.
    std::multimap<size_t, void*> kept;
    // Bytes of all large buffers, of those that tensors have, and the most that they ever had.
    size_t held = 0, live = 0, most = 0;

    static void* small(size_t size) {
        void* buffer = nullptr;
        return posix_memalign(&buffer, alignof(Header), size) == 0 ? buffer : nullptr;
    }

    // In whole pages, or a little larger: `size` tells.
    void* large(size_t& size) {
        size = (size + PAGE - 1) / PAGE * PAGE;
        std::lock_guard lock(mutex);
        auto fit = kept.lower_bound(size);
        if (fit != kept.end() && fit->first <= size + size / 8) {
            void* buffer = fit->second;
            size = fit->first;
            live += size;
            kept.erase(fit);
            return buffer;
        }
        most = std::max(most, live + size);
        // What is kept for other sizes makes room, so that little more is held than was needed at once.
        shrink(most + most / SPARE - size);
        void* buffer = map(size);
        if (!buffer) {
            shrink(0);
            buffer = map(size);
        }
        if (buffer) {
            held += size;
            live += size;
        }
        return buffer;
    }

    static void* map(size_t size) {
        void* buffer = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return buffer == MAP_FAILED ? nullptr : buffer;
    }

    // Gives kept buffers back to the system until no more bytes are held, as far as that goes.
    void shrink(size_t bytes) {
        while (held > bytes && !kept.empty()) {
            auto largest = std::prev(kept.end());
            held -= largest->first;
            munmap(largest->second, largest->first);
            kept.erase(largest);
        }
    }

    static void release(void* memory) {
        if (!memory) return;
        auto* header = static_cast<Header*>(memory) - 1;
        if (header->size < LARGE) return std::free(header);
        auto& own = only();
        std::lock_guard lock(own.mutex);
        own.live -= header->size;
        own.kept.emplace(header->size, header);
    }
};

}  // namespace

// Takes the place of libtorch's allocator; tensors made before are freed by that all the same.
void nshot_keep_buffers() {
    c10::SetCPUAllocator(&Keeping::only(), /*priority=*/UINT8_MAX);
}

#else
void nshot_keep_buffers() {}
#endif
