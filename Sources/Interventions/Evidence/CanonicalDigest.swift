// One digest of a model's weights, the same in whichever form and precision their files keep them.

import Notebook
import Speech

extension Checkpoint {
  /// A digest of the parameters of an architecture: over lines of name, shape and the SHA-256 of the
  /// numbers as little-endian float16, in order of name.
  ///
  /// Weights that were published as float16 have one digest as safetensors of 32 bits, as safetensors of
  /// 16 bits and as CTranslate2's model.bin.
  ///
  /// - Throws: where a parameter is missing, has another shape, or is not finite.
  public func canonicalDigest(_ config: any ModelConfig) throws -> Digest {
    let lines = try config.parameterShapes.sorted { $0.key < $1.key }.map { name, shape in
      let tensor = try tensor(config.aliases(of: name), shape: shape)
      var bytes = [UInt8](repeating: 0, count: 2 * tensor.count)
      tensor.withNumbers { numbers in
        for (i, number) in numbers.enumerated() {
          let bits = Float16(number).bitPattern
          bytes[2 * i] = UInt8(truncatingIfNeeded: bits)
          bytes[2 * i + 1] = UInt8(truncatingIfNeeded: bits >> 8)
        }
      }
      return "\(name) \(shape) \(Digest(of: bytes))\n"
    }
    return Digest(of: lines.joined())
  }
}
