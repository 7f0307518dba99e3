# Compiles `Sources/Gateway/HTTP` with a program of the tests into one module, apart from the package: its flags
# differ, and nothing else of the gateway is needed. Sourced with the folder for what is built.
compiled=$1
mkdir -p "$compiled/modules"
cat > "$compiled/modules/module.modulemap" <<MAP
module CLinux { header "$PWD/Sources/CLinux/include/CLinux.h" export * }
MAP

swift_flags=(-swift-version 6 -wmo -parse-as-library -package-name gwnode -I "$compiled/modules"
    -Xcc "-fmodule-map-file=$compiled/modules/module.modulemap"
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility)

# compile_posix FLAG…
compile_posix() {
    local source
    for source in Sources/CLinux/*.c; do
        clang -O1 -g -I Sources/CLinux/include -c "$source" -o "$compiled/$(basename "$source").o"
    done
    swiftc "${swift_flags[@]}" "$@" -module-name Posix -emit-module \
        -emit-module-path "$compiled/modules/Posix.swiftmodule" -c Sources/Posix/*.swift -o "$compiled/Posix.o"
}

# compile_http NAME FLAG… FILE…
compile_http() {
    local name=$1 sources
    shift
    # What begins traces draws their numbers.
    mapfile -t sources < <(find Sources/Gateway/HTTP Sources/Gateway/Balance/RandomSource.swift -name '*.swift')
    swiftc "${swift_flags[@]}" -module-name "$name" "$@" "${sources[@]}" -c -o "$compiled/$name.o"
}
