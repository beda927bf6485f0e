// No exception leaves the shim: each function returns null, or an error text that the caller frees with nshot_free.
#pragma once

#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace {

char* copy_text(const std::string& text) {
    char* out = static_cast<char*>(std::malloc(text.size() + 1));
    if (out) std::memcpy(out, text.c_str(), text.size() + 1);
    return out;
}

// A text even when memory is out, so that an error can never look like success.
char* error_text(const std::string& text) {
    char* out = copy_text(text.empty() ? "unknown error" : text);
    if (!out) std::abort();
    return out;
}

template <typename F>
char* guarded(F&& body) {
    try {
        body();
        return nullptr;
    } catch (const c10::Error& e) {
        return error_text(e.what_without_backtrace());
    } catch (const std::exception& e) {
        return error_text(e.what());
    } catch (...) {
        return error_text("an exception of unknown type");
    }
}

}  // namespace
