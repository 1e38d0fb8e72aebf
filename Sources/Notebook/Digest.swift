// SHA-256 of bytes and of files, the only file that imports CCrypto.

import CCrypto
import Glibc

/// A SHA-256 digest. It prints as `sha256sum` prints it.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  public let bytes: [UInt8]

  /// The digest in 64 lower-case hexadecimal digits.
  public var description: String { hexadecimal(bytes) }

  /// The first 12 hexadecimal digits, for a stamp or a message.
  public var short: String { hexadecimal(bytes.prefix(6)) }

  /// The digest of some bytes.
  public init(of bytes: some Sequence<UInt8>) {
    var stream = DigestStream()
    bytes.withContiguousStorageIfAvailable { stream.update(UnsafeRawBufferPointer($0)) }
      ?? Array(bytes).withUnsafeBytes { stream.update($0) }
    self = stream.finish()
  }

  /// The digest of a text in UTF-8.
  public init(of text: String) { self.init(of: Array(text.utf8)) }

  /// The digest of a list of texts; no other list has the same one (each text is preceded by its
  /// length).
  public init(ofParts parts: [String]) {
    var stream = DigestStream()
    for part in parts {
      let utf8 = Array(part.utf8)
      withUnsafeBytes(of: UInt64(utf8.count).littleEndian) { stream.update($0) }
      utf8.withUnsafeBytes { stream.update($0) }
    }
    self = stream.finish()
  }

  /// The digest of 16-bit samples, written as little-endian.
  public init(ofSamples samples: [Int16]) {
    self.init(
      of: samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
  }

  /// The digest of a file, read in pieces.
  public init(ofFile path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure.system("cannot read \(path)") }
    defer { close(file) }
    var stream = DigestStream()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count == 0 { break }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure.system("cannot read \(path)") }
      buffer.withUnsafeBytes { stream.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
    self = stream.finish()
  }

  /// A digest written as 64 hexadecimal digits, or nil.
  public init?(hexadecimal text: String) {
    let digits = text.compactMap { $0.isASCII ? $0.hexDigitValue : nil }
    guard digits.count == 64, text.count == 64 else { return nil }
    bytes = stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  /// A digest of 32 bytes that were stored.
  init(stored bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  fileprivate init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The digest of the program that is running, so of all its code, computed once.
  static let ofExecutable = Result { try Digest(ofFile: "/proc/self/exe") }
}

/// One digest in the making. libcrypto fails here only where it has no memory or no SHA-256.
private struct DigestStream: ~Copyable {
  private let context: OpaquePointer

  init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      fatalError("libcrypto offers no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
      fatalError("libcrypto cannot continue a SHA-256")
    }
  }

  consuming func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    guard EVP_DigestFinal_ex(context, &bytes, nil) == 1 else {
      fatalError("libcrypto cannot finish a SHA-256")
    }
    return Digest(bytes)
  }
}

private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
