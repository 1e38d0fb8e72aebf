// What must be true of the process for its numbers to be the paper's: OpenBLAS on one thread with
// a pinned kernel. OpenBLAS reads both when it is loaded, so a program that finds them unset starts
// itself again with them set.

import Dispatch

#if canImport(Glibc)
  import Glibc
#endif

public enum Runtime {
  /// The variables that OpenBLAS and the allocator read when they are loaded. Without the last two,
  /// every tensor above 128 kB would be mapped and page-faulted anew.
  static let pinned = [
    "OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296",
  ]

  /// Call first in every executable. Returns at once when the variables are set; otherwise replaces
  /// the process by itself with them set. Ends it where OpenBLAS would wait for memory for ever.
  public static func pin() {
    if isPinned {
      guard hasRoom(for: productBuffer) else {
        fail(
          "out of memory: matrix products want \(productBuffer) bytes more; free some, or allow more "
            + "(ulimit -v), and run again", status: 71)
      }
      return
    }
    guard supportsKernel else {
      fail("this processor has no AVX2 and FMA, which the pinned matrix kernels need")
    }
    guard getenv("TAP_PINNED") == nil else {
      fail(
        "OpenBLAS runs its \(BLAS.coreName) kernel on \(BLAS.threads) threads, although Haswell "
          + "on 1 was asked for; install Debian's libopenblas-dev")
    }
    setenv("TAP_PINNED", "1", 1)
    for (name, value) in pinned { setenv(name, value, 1) }
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    fail("could not start again with OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS set")
  }

  /// Whether OpenBLAS runs the kernel and the number of threads of the determinism contract.
  public static var isPinned: Bool { BLAS.coreName == "Haswell" && BLAS.threads == 1 }

  /// For the record of a run, never for compared files.
  public static var description: String {
    "OpenBLAS \(BLAS.coreName) kernel, \(BLAS.threads) thread"
  }

  private static var supportsKernel: Bool {
    guard let file = fopen("/proc/cpuinfo", "r") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 8192)
    while fgets(&line, Int32(line.count), file) != nil {
      if strncmp(line, "flags", 5) == 0 {
        return strstr(line, " avx2") != nil && strstr(line, " fma") != nil
      }
    }
    return true
  }

  private static func fail(_ message: String, status: Int32 = 1) -> Never {
    let line = "tap: \(message)\n"
    write(STDERR_FILENO, line, line.utf8.count)
    exit(status)
  }

  /// What OpenBLAS sets aside for the products of a thread, and asks for again and again.
  private static let productBuffer = 129 << 20

  /// Whether another `count` threads but this one can be had. Where they cannot, the dispatch library
  /// would wait for them for ever.
  static func hasRoom(forThreads count: Int) -> Bool {
    let others = min(count, sysconf(Int32(_SC_NPROCESSORS_ONLN))) - 1
    // Besides, its stack, what glibc sets aside for it, and what it computes.
    return others < 1 || hasRoom(for: others * 3 * productBuffer)
  }

  /// Whether so many bytes can be had at this moment; true where nothing limits them.
  private static func hasRoom(for bytes: Int) -> Bool {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0,
      limit.rlim_cur < UInt(Int.max)
    else { return true }
    let room = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let room, room != MAP_FAILED else { return false }
    munmap(room, bytes)
    return true
  }
}

extension Runtime {
  /// Whether the caller is one of so many pieces of work that the cores have enough to do, and what it
  /// would spread over them does better in one piece.
  @TaskLocal static var isBusy = false

  /// Pieces of work a core from which on all are busy to the end, or nearly.
  static let piecesPerCore = 4
}

/// Calls `body` for 0..<count, spread over the cores. What it computes must not depend on the order.
public func inParallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
  guard !Runtime.isBusy, Runtime.hasRoom(forThreads: count) else {
    for i in 0..<count { body(i) }
    return
  }
  let busy = count >= Runtime.piecesPerCore * sysconf(Int32(_SC_NPROCESSORS_ONLN))
  withoutActuallyEscaping(body) { body in
    DispatchQueue.concurrentPerform(iterations: count) { i in
      Runtime.$isBusy.withValue(busy) { body(i) }
    }
  }
}

/// The results of `body` for 0..<count, spread over the cores and in order.
public func mapInParallel<T: Sendable>(
  _ count: Int, _ body: @Sendable (Int) throws -> T
) throws -> [T] {
  let slots = UnsafeMutablePointer<Result<T, any Error>?>.allocate(capacity: count)
  slots.initialize(repeating: nil, count: count)
  defer {
    slots.deinitialize(count: count)
    slots.deallocate()
  }
  nonisolated(unsafe) let results = slots
  inParallel(count) { i in results[i] = Result { try body(i) } }
  return try (0..<count).map { try results[$0]!.get() }
}
