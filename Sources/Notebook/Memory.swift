// What happens where memory ends: one line, a status of its own, and no file half written.
//
// Neither Swift's arrays nor OpenBLAS can go on without the memory that they ask for, and neither
// says so: the one ends in a trace of its stack, the other asks again for ever. So the functions
// that give memory to everything in the process are those at the end of this file. They give what
// glibc's give, or end the program.

import Glibc
import Synchronization

/// Call first in every executable. From then on the program ends with a message where memory ends,
/// and writing beyond the limit of a file's size (`ulimit -f`) is an error like that of a full disk,
/// where it was a signal.
public func prepareToEnd() {
  signal(SIGXFSZ, SIG_IGN)
  Memory.name = scriptName.withLock { $0 }
  Memory.isWatched = true
}

/// Says where what was printed did not arrive: for the end of a program that prints its results.
public func finishPrinting() {
  errno = 0
  guard fflush(nil) != 0 else { return }
  let reason = errno == 0 ? "" : ": \(String(cString: strerror(errno)))"
  end(with: Failure("what was printed could not be written whole\(reason)"))
}

enum Memory {
  /// The most bytes that this process has had in memory at a time; nil where the system does not say.
  static var peak: Int? {
    guard let status = try? contents(of: "/proc/self/status") else { return nil }
    let line = String(decoding: status, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("VmHWM:") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
      .map { $0 * 1024 }
  }

  /// The status of a program that memory was refused to: EX_OSERR of sysexits.h.
  static let status: Int32 = 71

  /// What the message begins with.
  nonisolated(unsafe) fileprivate static var name = ""
  nonisolated(unsafe) fileprivate static var isWatched = false

  /// The thread that ends the program; 0 before.
  private static let ending = Atomic<UInt>(0)

  /// Ends the program for want of so many bytes. Nothing in it may ask for memory.
  fileprivate static func end(wanting bytes: Int) -> Never {
    let thread = pthread_self()
    let (isFirst, other) = ending.compareExchange(
      expected: 0, desired: thread, ordering: .sequentiallyConsistent)
    // Another thread is already saying so; this one, where removing the files wanted memory.
    if !isFirst && other != thread { while true { pause() } }
    if isFirst {
      TemporaryFiles.removeAtOnce()
      if isatty(STDERR_FILENO) != 0 { say("\r\u{1B}[K") }
      _ = name.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
      say(": out of memory: ")
      say(bytes)
      say(" bytes more are wanted; free some, or allow more")
      if let limit {
        say(" than ")
        say(limit)
        say(" (ulimit -v)")
      }
      say(", and run again\n")
    }
    _exit(status)
  }

  private static func say(_ text: StaticString) {
    _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }

  private static func say(_ number: Int) {
    if number > 9 { say(number / 10) }
    var digit = UInt8(48 + number % 10)
    _ = write(STDERR_FILENO, &digit, 1)
  }

  /// Whether the memory for up to so many threads can be had at this moment. The dispatch library
  /// would wait for it for ever.
  static func hasRoomForThreads(_ count: Int) -> Bool {
    let others = min(count, sysconf(Int32(_SC_NPROCESSORS_ONLN))) - 1
    if limit == nil || others < 1 { return true }
    // What OpenBLAS sets aside for a thread, 128 MiB, its stack, and what it computes.
    let bytes = others * 400 << 20
    let room = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let room, room != MAP_FAILED else { return false }
    munmap(room, bytes)
    return true
  }

  /// The bytes that the process may have, where they are limited.
  private static var limit: Int? {
    var limit = rlimit()
    let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0
    return isKnown ? Int(exactly: limit.rlim_cur) : nil
  }
}

// ## What gives memory
//
// Package.swift has the linker give these the names that C knows.

@_silgen_name("__libc_malloc")
private func glibcMalloc(_ size: Int) -> UnsafeMutableRawPointer?
@_silgen_name("__libc_calloc")
private func glibcCalloc(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer?
@_silgen_name("__libc_realloc")
private func glibcRealloc(_ old: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer?
@_silgen_name("__libc_memalign")
private func glibcMemalign(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer?

/// What was given; nil for a size that no machine has, or that asks for nothing, or before `main`.
@inline(__always)
private func given(_ memory: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
  if memory == nil && size > 0 && Memory.isWatched { Memory.end(wanting: size) }
  return memory
}

@_cdecl("watched_malloc")
public func watchedMalloc(_ size: Int) -> UnsafeMutableRawPointer? {
  given(glibcMalloc(size), size)
}

@_cdecl("watched_calloc")
public func watchedCalloc(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
  let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: size)
  return given(glibcCalloc(count, size), isTooMuch ? -1 : bytes)
}

@_cdecl("watched_realloc")
public func watchedRealloc(
  _ old: UnsafeMutableRawPointer?, _ size: Int
) -> UnsafeMutableRawPointer? {
  given(glibcRealloc(old, size), size)
}

@_cdecl("watched_aligned_alloc")
public func watchedAlignedAlloc(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer? {
  given(glibcMemalign(alignment, size), size)
}

@_cdecl("watched_posix_memalign")
public func watchedPosixMemalign(
  _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: Int, _ size: Int
) -> Int32 {
  guard alignment % MemoryLayout<UnsafeRawPointer>.size == 0, alignment.nonzeroBitCount == 1 else {
    return EINVAL
  }
  guard let memory = given(glibcMemalign(alignment, size), size) else { return ENOMEM }
  result.pointee = memory
  return 0
}
