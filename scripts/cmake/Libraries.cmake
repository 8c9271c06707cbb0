# The libraries we stand on, each behind one name. Debian 12 packages; see scripts/setup.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(pair uv:libuv openssl:openssl yajl:yajl sqlite:sqlite3 fyaml:libfyaml qrencode:libqrencode png:libpng
             xml:libxml-2.0 utf8proc:libutf8proc cares:libcares cmocka:cmocka)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 package)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
  add_library(lib_${name} INTERFACE)
  target_link_libraries(lib_${name} INTERFACE PkgConfig::${name})
endforeach()

# llhttp: a library where the distribution has one (Debian 13: libllhttp-dev), else the C sources
# that Debian 12 ships in node-llhttp.
pkg_check_modules(llhttp QUIET IMPORTED_TARGET libllhttp)
if(llhttp_FOUND)
  add_library(lib_llhttp INTERFACE)
  target_link_libraries(lib_llhttp INTERFACE PkgConfig::llhttp)
else()
  find_path(LLHTTP_HEADER llhttp.h PATHS /usr/share/include/llhttp /usr/share/llhttp REQUIRED)
  find_path(LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp REQUIRED)
  add_library(lib_llhttp STATIC ${LLHTTP_SOURCE}/api.c ${LLHTTP_SOURCE}/http.c ${LLHTTP_SOURCE}/llhttp.c)
  target_include_directories(lib_llhttp SYSTEM PUBLIC ${LLHTTP_HEADER})
  target_compile_options(lib_llhttp PRIVATE -w)
  target_compile_definitions(lib_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
endif()

# Transliteration of names to Latin letters; names in other scripts are compared in their own without it.
pkg_check_modules(icu QUIET IMPORTED_TARGET icu-i18n icu-uc)
add_library(lib_icu INTERFACE)
if(icu_FOUND)
  target_link_libraries(lib_icu INTERFACE PkgConfig::icu)
  target_compile_definitions(lib_icu INTERFACE RAILGATE_ICU=1)
endif()

# The adapter ABI: headers only.
add_library(railgate_abi INTERFACE)
target_include_directories(railgate_abi INTERFACE ${CMAKE_SOURCE_DIR}/include)
