# Tells bundlers to leave the dynamic imports of a script alone: what they load is known when it runs.
# esbuild drops comments that say so when it minifies.
#
#   cmake -DSCRIPT=FILE -P tools/keep_import_comments.cmake
file(READ "${SCRIPT}" text)
string(REPLACE "import(" "import(/* webpackIgnore: true *//* turbopackIgnore: true *//* @vite-ignore */" text "${text}")
file(WRITE "${SCRIPT}" "${text}")
