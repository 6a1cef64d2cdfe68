# Compiler requirements and flags. docs/decisions/0001-toolchain.md says why.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (temporaries in co_await are destroyed twice). "
    "Use clang 19: cmake --preset release, or -DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# The oldest x86-64 with SSE4.2 and AVX2 that servers still run; faster paths are chosen at run time by the libraries.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-march=x86-64-v2)
endif()
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror -Wno-missing-field-initializers
                    -fno-omit-frame-pointer -g1)
add_link_options(-fuse-ld=lld)

set(PYRALOG_SANITIZE "" CACHE STRING "Sanitizers, comma separated (address,undefined or thread)")
if(PYRALOG_SANITIZE)
  add_compile_options(-fsanitize=${PYRALOG_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PYRALOG_SANITIZE})
endif()
option(PYRALOG_FUZZ "Build *_fuzz.cc as libFuzzer programs" OFF)
if(PYRALOG_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Half of a source's compile time goes into the standard library's headers.
option(PYRALOG_PCH "Precompile the standard library's headers" ON)
if(PYRALOG_PCH AND CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  # ccache believes in a precompiled header only if it may ignore what the compiler does not tell it of.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ccache)
endif()
function(pyralog_precompile TARGET)
  if(PYRALOG_PCH)
    target_precompile_headers(${TARGET} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h ${ARGN})
  endif()
endfunction()
