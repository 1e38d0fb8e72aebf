// Files that are there whole or not at all.
//
// A file is written under a temporary name in its own folder and renamed. Whatever happens
// (an error, a signal, a crash), its old content stays until the new one is complete.

import Glibc
import Synchronization

/// A file to be made: where, and how. `write` is given the temporary path to write to; it has the
/// same folder and the same ending.
public struct Output {
  public let path: String
  public let write: (String) throws -> Void

  public init(_ path: String, write: @escaping (String) throws -> Void) {
    self.path = path
    self.write = write
  }

  public init(_ path: String, bytes: [UInt8]) {
    self.init(path) { try writeNewFile(bytes, at: $0) }
  }

  public init(_ path: String, text: String) { self.init(path, bytes: Array(text.utf8)) }
}

/// Writes a text to a file, which has its old content or the new one at any moment.
///
/// - Parameter synchronizing: waits until the disk has it.
public func writeAtomically(_ text: String, to path: String, synchronizing: Bool = false) throws {
  try publish([Output(path, text: text)], synchronizing: synchronizing)
}

/// Writes bytes to a file, which has its old content or the new one at any moment.
public func writeAtomically(_ bytes: [UInt8], to path: String, synchronizing: Bool = false) throws {
  try publish([Output(path, bytes: bytes)], synchronizing: synchronizing)
}

/// Writes several files, and puts them in place only when all are complete.
///
/// Where one cannot be written, none is replaced and no temporary file stays. A link is followed, so that it
/// stays one; what is there and no plain file is never replaced.
public func publish(_ outputs: [Output], synchronizing: Bool = false) throws {
  var staged: [(temporary: String, path: String)] = []
  defer { TemporaryFiles.forget(staged.map(\.temporary)) }
  for output in outputs {
    do {
      let path = try destination(output.path)
      let (folder, name) = split(path)
      guard !name.isEmpty else { throw Failure("it names no file") }
      try createFolder(folder)
      TemporaryFiles.removeLeftovers(of: name, in: folder)
      let temporary = "\(folder)/.partial-\(getpid())-\(name)"
      staged.append((temporary, path))
      TemporaryFiles.remember(temporary)
      try output.write(temporary)
      guard exists(temporary) else { throw Failure("nothing was written") }
      if synchronizing { try synchronize(temporary) }
    } catch {
      throw Failure("cannot write \(output.path): \(error)")
    }
  }
  try TemporaryFiles.duringRename {
    for (temporary, path) in staged where rename(temporary, path) != 0 {
      throw Failure.system("cannot write \(path)")
    }
  }
}

/// The file that a path leads to, there or not yet.
///
/// - Throws: where it leads to something that is no plain file, or to nothing.
private func destination(_ path: String) throws -> String {
  var status = stat()
  guard stat(path, &status) == 0 else {
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
    throw Failure("it is a link that leads to no file; remove it, or name another")
  }
  guard status.st_mode & S_IFMT != S_IFDIR else {
    throw Failure("it is a folder; name a file in it")
  }
  guard status.st_mode & S_IFMT == S_IFREG else {
    throw Failure("it is no plain file; name another")
  }
  guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK,
    let real = realpath(path, nil)
  else { return path }
  defer { free(real) }
  return String(cString: real)
}

/// The temporary files of this process, so that an interruption can remove them.
enum TemporaryFiles {
  /// With room for more than there ever are, so that adding one asks for no memory.
  private static let paths = Mutex<Set<String>>(Set(minimumCapacity: 64))

  static func remember(_ path: String) { _ = paths.withLock { $0.insert(path) } }

  /// Removes those that are still there.
  static func forget(_ removed: [String]) {
    paths.withLock {
      for path in removed where $0.remove(path) != nil { unlink(path) }
    }
  }

  /// Runs the renaming of a set of files, which an interruption waits for.
  static func duringRename(_ body: () throws -> Void) throws {
    try paths.withLock { _ in try body() }
  }

  /// Removes all, and keeps any other from being renamed: the last thing a process does.
  static func removeAll(then end: () -> Never) -> Never {
    paths.withLock { paths in
      for path in paths { unlink(path) }
      end()
    }
  }

  /// Removes all without asking for memory, where no file is being renamed at this moment.
  static func removeAtOnce() {
    _ = paths.withLockIfAvailable { paths in
      for path in paths { unlink(path) }
    }
  }

  /// Removes what killed processes left of a file.
  static func removeLeftovers(of name: String, in folder: String) {
    for entry in fileNames(in: folder) where entry.hasPrefix(".partial-") {
      let parts = entry.dropFirst(9).split(separator: "-", maxSplits: 1)
      guard parts.count == 2, parts[1] == name, let process = pid_t(parts[0]) else { continue }
      if kill(process, 0) != 0 && errno == ESRCH { unlink("\(folder)/\(entry)") }
    }
  }
}

/// A path's folder (`.` where it names none) and its last part.
func split(_ path: String) -> (folder: String, name: String) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path) }
  let folder = slash == path.startIndex ? "/" : String(path[..<slash])
  return (folder, String(path[path.index(after: slash)...]))
}

/// Makes a folder and those above it, where they are missing.
func createFolder(_ path: String) throws {
  if mkdir(path, 0o777) == 0 { return }
  if errno == ENOENT {
    try createFolder(split(path).folder)
    if mkdir(path, 0o777) == 0 { return }
  }
  let reason = Failure.system("cannot create the folder \(path)")
  guard errno == EEXIST, isFolder(path) else { throw reason }
}

func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The size of a plain file in bytes, or nil where there is none.
func size(of path: String) -> Int? {
  var status = stat()
  guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
  return Int(status.st_size)
}

/// The names in a folder, sorted; none where it cannot be read.
func fileNames(in folder: String) -> [String] {
  guard let stream = opendir(folder) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// The whole content of a file.
func contents(of path: String) throws -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw Failure.system("cannot read \(path)") }
  defer { close(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(file, &buffer, buffer.count)
    if count == 0 { return bytes }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { throw Failure.system("cannot read \(path)") }
    bytes += buffer[..<count]
  }
}

/// Writes all of some bytes to an open file.
func writeAll(_ bytes: [UInt8], to file: Int32) throws {
  var written = 0
  while written < bytes.count {
    let count = bytes.withUnsafeBytes {
      write(file, $0.baseAddress! + written, $0.count - written)
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { throw Failure.system("writing stopped at byte \(written)") }
    written += count
  }
}

func writeNewFile(_ bytes: [UInt8], at path: String) throws {
  let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
  guard file >= 0 else { throw Failure(String(cString: strerror(errno))) }
  defer { close(file) }
  try writeAll(bytes, to: file)
}

private func synchronize(_ path: String) throws {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw Failure(String(cString: strerror(errno))) }
  defer { close(file) }
  guard fsync(file) == 0 else { throw Failure(String(cString: strerror(errno))) }
}
