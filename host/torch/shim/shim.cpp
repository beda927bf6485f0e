// What tch lacks: any operator by its schema's name, gradients set to none, process settings.
//
// Every function returns null, or an error text that the caller frees with nshot_free. No exception
// leaves this file. Tensors are `at::Tensor*`, as in torch-sys; those returned belong to the caller.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/Tensor.h>
#include <torch/version.h>

#include "guarded.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#if defined(__linux__)
#include <dlfcn.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#include <climits>
#endif

extern "C" void omp_set_dynamic(int);

namespace {

[[noreturn]] void refuse(const std::string& text) { throw std::runtime_error(text); }

}  // namespace

void use_aligned_memory();

extern "C" {

enum nshot_kind : int32_t {
    KIND_NONE = 0, KIND_TENSOR = 1, KIND_TENSORS = 2, KIND_INT = 3, KIND_FLOAT = 4, KIND_BOOL = 5,
    KIND_INTS = 6, KIND_FLOATS = 7, KIND_BOOLS = 8, KIND_TEXT = 9,
};

// One argument; `name` null: a tensor (or list) that takes the next place for tensors in the schema.
struct nshot_argument {
    const char* name;
    int32_t kind;
    int64_t integer;     // KIND_INT, KIND_BOOL
    double real;         // KIND_FLOAT
    const void* data;    // KIND_TENSOR: at::Tensor*; lists: array; KIND_TEXT: characters
    size_t length;       // of lists and text
};

void nshot_free(void* memory) { std::free(memory); }

}  // extern "C"

namespace {

using c10::IValue;
using c10::TypeKind;
using c10::TypePtr;

const char* kind_name(int32_t kind) {
    static const char* names[] = {"nothing", "a tensor", "a list of tensors", "an int", "a float", "a bool",
                                  "a list of ints", "a list of floats", "a list of bools", "a text"};
    return kind >= 0 && kind <= KIND_TEXT ? names[kind] : "an unknown kind";
}

TypePtr element_of(const TypePtr& type) {
    if (auto optional = type->cast<c10::OptionalType>()) return optional->getElementType();
    return type;
}

bool is_list_of(const TypePtr& type, TypeKind kind) {
    auto list = type->cast<c10::ListType>();
    return list && element_of(list->getElementType())->kind() == kind;
}

bool takes_tensor(const TypePtr& type) { return element_of(type)->kind() == TypeKind::TensorType; }
bool takes_tensors(const TypePtr& type) { return is_list_of(element_of(type), TypeKind::TensorType); }

const at::Tensor& tensor_at(const void* pointer) {
    if (!pointer) refuse("a tensor argument is null");
    return *static_cast<const at::Tensor*>(pointer);
}

IValue tensor_list(const TypePtr& list_type, const std::vector<at::Tensor>& tensors) {
    auto element = list_type->expectRef<c10::ListType>().getElementType();
    if (element->kind() == TypeKind::OptionalType) {
        c10::List<std::optional<at::Tensor>> list;
        for (const auto& t : tensors) list.push_back(t.defined() ? std::optional<at::Tensor>(t) : std::nullopt);
        return list;
    }
    c10::List<at::Tensor> list;
    list.reserve(tensors.size());
    for (const auto& t : tensors) list.push_back(t);
    return list;
}

std::vector<at::Tensor> tensors_of(const nshot_argument& a) {
    std::vector<at::Tensor> out;
    if (a.kind == KIND_TENSOR) {
        out.push_back(tensor_at(a.data));
    } else {
        auto pointers = static_cast<void* const*>(a.data);
        for (size_t i = 0; i < a.length; i++) out.push_back(tensor_at(pointers[i]));
    }
    return out;
}

std::vector<int64_t> ints_of(const nshot_argument& a, const std::optional<int32_t>& count) {
    if (a.kind == KIND_INT) return std::vector<int64_t>(count && *count > 0 ? *count : 1, a.integer);
    auto p = static_cast<const int64_t*>(a.data);
    return std::vector<int64_t>(p, p + a.length);
}

std::vector<double> floats_of(const nshot_argument& a) {
    if (a.kind == KIND_FLOAT) return {a.real};
    if (a.kind == KIND_INT) return {static_cast<double>(a.integer)};
    if (a.kind == KIND_INTS) {
        auto p = static_cast<const int64_t*>(a.data);
        return std::vector<double>(p, p + a.length);
    }
    auto p = static_cast<const double*>(a.data);
    return std::vector<double>(p, p + a.length);
}

// The argument as the schema wants it, or an exception that names both sides.
IValue convert(const c10::Argument& wanted, const nshot_argument& a) {
    TypePtr type = wanted.type();
    bool optional = type->kind() == TypeKind::OptionalType;
    type = element_of(type);
    auto mismatch = [&]() {
        refuse("the argument `" + wanted.name() + "` takes " + wanted.real_type()->str() + ", found " +
               kind_name(a.kind));
    };
    if (a.kind == KIND_NONE) {
        if (!optional) mismatch();
        return IValue();
    }
    bool ints = a.kind == KIND_INT || a.kind == KIND_INTS;
    bool floats = ints || a.kind == KIND_FLOAT || a.kind == KIND_FLOATS;
    bool tensors = a.kind == KIND_TENSOR || a.kind == KIND_TENSORS;
    switch (type->kind()) {
        case TypeKind::TensorType:
            if (a.kind == KIND_TENSOR) return IValue(tensor_at(a.data));
            break;
        case TypeKind::IntType:
        case TypeKind::SymIntType:
            if (a.kind == KIND_INT) return IValue(a.integer);
            break;
        case TypeKind::FloatType:
            if (a.kind == KIND_FLOAT) return IValue(a.real);
            if (a.kind == KIND_INT) return IValue(static_cast<double>(a.integer));
            break;
        case TypeKind::BoolType:
            if (a.kind == KIND_BOOL) return IValue(a.integer != 0);
            break;
        case TypeKind::NumberType:
            if (a.kind == KIND_INT) return IValue(a.integer);
            if (a.kind == KIND_FLOAT) return IValue(a.real);
            if (a.kind == KIND_BOOL) return IValue(a.integer != 0);
            break;
        case TypeKind::StringType:
            if (a.kind == KIND_TEXT) return IValue(std::string(static_cast<const char*>(a.data), a.length));
            break;
        case TypeKind::DeviceObjType:
            if (a.kind == KIND_TEXT) return IValue(c10::Device(std::string(static_cast<const char*>(a.data), a.length)));
            break;
        case TypeKind::ListType:
            if (takes_tensors(type) && tensors) return tensor_list(type, tensors_of(a));
            if ((is_list_of(type, TypeKind::IntType) || is_list_of(type, TypeKind::SymIntType)) && ints)
                return IValue(c10::List<int64_t>(ints_of(a, wanted.N())));
            if (is_list_of(type, TypeKind::FloatType) && floats) return IValue(c10::List<double>(floats_of(a)));
            if (is_list_of(type, TypeKind::NumberType) && floats) {
                c10::impl::GenericList list(c10::NumberType::get());
                for (double v : floats_of(a)) list.push_back(IValue(v));
                return list;
            }
            if (is_list_of(type, TypeKind::BoolType) && (a.kind == KIND_BOOLS || a.kind == KIND_BOOL)) {
                c10::List<bool> list;
                if (a.kind == KIND_BOOL) list.push_back(a.integer != 0);
                else for (size_t i = 0; i < a.length; i++) list.push_back(static_cast<const uint8_t*>(a.data)[i] != 0);
                return list;
            }
            break;
        default:
            break;
    }
    mismatch();
    return IValue();
}

c10::OperatorHandle find(const std::string& name) {
    auto dot = name.find('.', name.find("::") == std::string::npos ? 0 : name.find("::"));
    std::string base = name.substr(0, dot);
    std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
    auto& dispatcher = c10::Dispatcher::singleton();
    auto found = dispatcher.findSchema({base, overload});
    if (found) return *found;
    std::vector<std::string> overloads;
    for (const auto& known : dispatcher.getAllOpNames())
        if (known.name == base) overloads.push_back(known.overload_name);
    std::sort(overloads.begin(), overloads.end());
    if (overloads.empty()) refuse("libtorch has no operator of this name");
    std::string text = "it needs one of the overloads";
    for (const auto& o : overloads) text += " `" + base + (o.empty() ? "" : "." + o) + "`";
    refuse(text);
}

// Puts unnamed tensors into the schema's places for tensors, the rest by name, defaults where nothing came.
std::vector<IValue> arrange(const c10::FunctionSchema& schema, const nshot_argument* args, size_t count) {
    const auto& wanted = schema.arguments();
    std::vector<const nshot_argument*> unnamed;
    std::vector<const nshot_argument*> by_place(wanted.size(), nullptr);
    for (size_t i = 0; i < count; i++) {
        if (!args[i].name) {
            unnamed.push_back(&args[i]);
            continue;
        }
        auto at = std::find_if(wanted.begin(), wanted.end(), [&](const auto& w) { return w.name() == args[i].name; });
        if (at == wanted.end()) {
            std::string names;
            for (const auto& w : wanted) names += (names.empty() ? "`" : ", `") + w.name() + "`";
            refuse(std::string("it has no argument `") + args[i].name + "`; it has " + names);
        }
        by_place[at - wanted.begin()] = &args[i];
    }
    size_t next = 0;
    std::vector<IValue> stack;
    stack.reserve(wanted.size());
    for (size_t i = 0; i < wanted.size(); i++) {
        const auto& w = wanted[i];
        if (by_place[i]) {
            stack.push_back(convert(w, *by_place[i]));
        } else if (takes_tensor(w.type()) && next < unnamed.size()) {
            stack.push_back(convert(w, *unnamed[next++]));
        } else if (takes_tensors(w.type()) && next < unnamed.size()) {
            if (unnamed[next]->kind == KIND_TENSORS) {
                stack.push_back(convert(w, *unnamed[next++]));
                continue;
            }
            // Single tensors: the list takes all but those that later required places need.
            size_t later = 0;
            for (size_t j = i + 1; j < wanted.size(); j++)
                if (!by_place[j] && !wanted[j].default_value() && wanted[j].type()->kind() == TypeKind::TensorType) later++;
            size_t end = unnamed.size() > later ? std::max(unnamed.size() - later, next) : next;
            std::vector<at::Tensor> list;
            while (next < end && unnamed[next]->kind == KIND_TENSOR) list.push_back(tensor_at(unnamed[next++]->data));
            stack.push_back(tensor_list(element_of(w.type()), list));
        } else if (w.default_value()) {
            stack.push_back(*w.default_value());
        } else if (w.type()->kind() == TypeKind::OptionalType) {
            stack.push_back(IValue());
        } else {
            refuse("the argument `" + w.name() + "` (" + w.real_type()->str() + ") is missing");
        }
    }
    if (next < unnamed.size())
        refuse("it takes " + std::to_string(next) + " tensors by place, found " + std::to_string(unnamed.size()));
    return stack;
}

void push_outputs(const IValue& value, std::vector<at::Tensor>& out) {
    if (value.isTensor()) {
        out.push_back(value.toTensor());
    } else if (value.isTensorList()) {
        for (const at::Tensor& t : value.toTensorVector()) out.push_back(t);
    } else {
        refuse("it returns something other than tensors");
    }
}

}  // namespace

extern "C" {

// Calls `name` (such as `aten::add.Tensor`). Outputs: all tensors that it returns, lists flattened, in an
// array for nshot_free. `pure`: refuses operators that write into an argument.
char* nshot_call(const char* name, int32_t pure, const nshot_argument* args, size_t count, void*** outputs,
                 size_t* output_count) {
    return guarded([&] {
        *outputs = nullptr;
        *output_count = 0;
        auto op = find(name);
        if (pure && op.schema().is_mutable()) refuse("it writes into its arguments, which a graph cannot");
        auto stack = arrange(op.schema(), args, count);
        op.callBoxed(stack);
        std::vector<at::Tensor> results;
        for (const auto& value : stack) push_outputs(value, results);
        if (results.empty()) return;
        auto array = static_cast<void**>(std::malloc(results.size() * sizeof(void*)));
        if (!array) throw std::bad_alloc();
        size_t made = 0;
        try {
            for (auto& t : results) array[made++] = new at::Tensor(std::move(t));
        } catch (...) {
            while (made > 1) delete static_cast<at::Tensor*>(array[--made - 1]);
            std::free(array);
            throw;
        }
        *outputs = array;
        *output_count = results.size();
    });
}

// Takes the gradient of each tensor away, so that the next backward pass makes a new one.
char* nshot_clear_gradients(void* const* tensors, size_t count) {
    return guarded([&] {
        for (size_t i = 0; i < count; i++) {
            auto& gradient = static_cast<at::Tensor*>(tensors[i])->mutable_grad();
            if (gradient.defined()) gradient.reset();
        }
    });
}

// Settings of the process. `cuda` also fixes the choice of cuDNN's algorithms.
char* nshot_configure(int32_t threads, int32_t cuda) {
    return guarded([&] {
        omp_set_dynamic(0);
        setenv("OMP_DYNAMIC", "FALSE", 1);
        setenv("MKL_DYNAMIC", "FALSE", 1);
        at::set_num_threads(threads);
        if (at::get_num_interop_threads() != 1) at::set_num_interop_threads(1);
        use_aligned_memory();
#if defined(__GLIBC__)
        // Large buffers stay with the process: returning them costs thousands of page faults a step.
        mallopt(M_MMAP_THRESHOLD, 1 << 30);
        mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
        if (cuda) {
            setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
            auto& context = at::globalContext();
            context.setBenchmarkCuDNN(false);
            context.setDeterministicCuDNN(true);
            context.setDeterministicFillUninitializedMemory(false);
            context.setDeterministicAlgorithms(true, true);
            // TF32 would leave 10 bits of float32's 23 in matrix products and convolutions.
            context.setAllowTF32CuBLAS(false);
            context.setAllowTF32CuDNN(false);
        }
    });
}

// Loads libtorch_cuda.so if it is there; the linker drops it from programs that name no symbol of it.
void nshot_load_cuda() {
#if defined(__linux__)
    dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
#endif
}

const char* nshot_version() { return TORCH_VERSION; }

// The instruction set that ATen's kernels use, for nshot_free.
char* nshot_cpu_capability() {
    try {
        return copy_text(at::get_cpu_capability());
    } catch (...) {
        return nullptr;
    }
}

int32_t nshot_threads() {
    try {
        return at::get_num_threads();
    } catch (...) {
        return 0;
    }
}

}  // extern "C"
