// Writing safetensors whose tensors need not be in memory at once.

import Glibc
import JSON
import Tensor

/// Writes a safetensors file in Float32, tensor by tensor.
///
/// - Parameters:
///   - tensors: names and shapes, in the order in which they are written
///   - numbers: a tensor of that name and shape; called once for each
/// - Throws: where the file cannot be written, as on a full disk, and leaves what there is of it.
public func writeSafetensors(
  _ tensors: [(name: String, shape: [Int])], to path: String,
  numbers: (_ name: String, _ shape: [Int]) throws -> Tensor
) throws {
  var header: [String: JSON] = ["__metadata__": ["format": "pt"]]
  var end = 0
  for (name, shape) in tensors {
    let start = end
    end += 4 * shape.reduce(1, *)
    header[name] = [
      "dtype": "F32", "shape": .array(shape.map { .integer($0) }),
      "data_offsets": [.integer(start), .integer(end)],
    ]
  }
  var text = Array(JSON.object(header).compactText.utf8)
  text += [UInt8](repeating: 32, count: (8 - text.count % 8) % 8)
  guard let file = fopen(path, "wb") else { throw CheckpointError.unopened(path) }
  func failure() -> CheckpointError {
    CheckpointError("\(path): cannot be written: \(String(cString: strerror(errno)))")
  }
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count else { throw failure() }
  }
  do {
    try withUnsafeBytes(of: UInt64(text.count).littleEndian, write)
    try text.withUnsafeBytes(write)
    for (name, shape) in tensors {
      let tensor = try numbers(name, shape)
      precondition(tensor.shape == shape, "\(name) is \(tensor.shape), not \(shape)")
      try tensor.withNumbers { try write(UnsafeRawBufferPointer($0)) }
    }
  } catch {
    fclose(file)
    throw error
  }
  guard fclose(file) == 0 else { throw failure() }
}
