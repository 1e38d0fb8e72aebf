// SHA-256 through libcrypto.

import CCrypto

enum Digest {
  /// Lower-case hexadecimal SHA-256.
  static func sha256<T: BitwiseCopyable>(_ values: [T]) -> String {
    values.withUnsafeBytes(hex)
  }

  private static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    EVP_Digest(bytes.baseAddress, bytes.count, &digest, &length, EVP_sha256(), nil)
    return digest.map { byte in
      let text = String(byte, radix: 16)
      return text.count == 1 ? "0" + text : text
    }.joined()
  }
}
