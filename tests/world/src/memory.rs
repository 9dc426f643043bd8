//! Memory of the process, for measurements.

/// A figure of `/proc/self/status` in MiB. `VmHWM:` is the most memory so far, in debug with some hundred MiB of the
/// program itself.
///
/// # Panics
///
/// Where there is no such figure.
pub fn memory_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1024.0
}
