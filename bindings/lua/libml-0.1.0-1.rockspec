-- SPDX-License-Identifier: MIT
-- Builds the Lua module against an installed libml: luarocks make bindings/lua/libml-*.rockspec
rockspec_format = "3.0"
package = "libml"
version = "0.1.0-1"
source = {
    url = "git+file://.",
    tag = "v0.1.0",
}
description = {
    summary = "Machine learning inside the program that runs it",
    detailed = [[
        Trains models on tables, tunes, saves, loads and predicts, by the C library libml.
        For Lua 5.1 to 5.4 and LuaJIT; libml_ffi is the same for LuaJIT without a compiler.
    ]],
    license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
    LIBML = { header = "ml/ml.h", library = "ml" },
}
build = {
    type = "builtin",
    modules = {
        libml = {
            sources = {
                "bindings/lua/src/calls.c",
                "bindings/lua/src/callbacks.c",
                "bindings/lua/src/module.c",
                "bindings/lua/src/runtime.c",
                "bindings/lua/src/special.c",
                "bindings/lua/src/vector.c",
            },
            libraries = { "ml" },
            incdirs = { "$(LIBML_INCDIR)", "bindings/lua/src" },
            libdirs = { "$(LIBML_LIBDIR)" },
        },
        libml_ffi = "bindings/lua/libml_ffi.lua",
    },
}
