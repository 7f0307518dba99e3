import Glibc

/// Kernel settings on which a moved address depends.
package enum KernelSettings {
    /// One line for each setting of `interface` that harms, with what to do. `read` gets the value of a file below
    /// /proc/sys, nil when there is none.
    package static func warnings(interface: String, read: (String) -> Int? = readSetting) -> [String] {
        func effective(_ name: String) -> Int? {
            let values = ["all", interface].compactMap { read("net/ipv4/conf/\($0)/\(name)") }
            return values.max()
        }
        var warnings: [String] = []
        if let announce = effective("arp_announce"), announce < 2 {
            warnings.append(
                "arp_announce is \(announce): a former holder's ARP requests can pull clients back to it;"
                    + " set net.ipv4.conf.all.arp_announce=2")
        }
        if effective("rp_filter") == 1 {
            warnings.append(
                "rp_filter is strict: packets that take another way back than \(interface) are dropped;"
                    + " set net.ipv4.conf.all.rp_filter and net.ipv4.conf.\(interface).rp_filter to 2 if routes differ")
        }
        return warnings
    }

    package static func readSetting(_ path: String) -> Int? {
        guard let file = fopen("/proc/sys/\(path)", "re") else { return nil }
        defer { fclose(file) }
        var value: Int32 = 0
        return withUnsafeMutablePointer(to: &value) { pointer in
            withVaList([pointer]) { vfscanf(file, "%d", $0) } == 1 ? Int(pointer.pointee) : nil
        }
    }
}
