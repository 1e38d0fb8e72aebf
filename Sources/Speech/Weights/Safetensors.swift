// The safetensors container: eight bytes of header length, a JSON header, raw numbers.
//
// A file is mapped, checked whole when it is opened, and read tensor by tensor.

import Glibc
import JSON
import Tensor

/// What is wrong with a checkpoint, and what to do about it.
public struct CheckpointError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }

  /// A file that cannot be opened, for the reason that `errno` holds.
  static func unopened(_ path: String) -> CheckpointError {
    let reason = String(cString: strerror(errno))
    return CheckpointError("\(path): cannot be opened: \(reason); check the path or fetch the file")
  }
}

/// An opened safetensors file.
public final class Safetensors: WeightFile {
  public let path: String
  public let entries: [String: WeightEntry]
  public let map: MappedFile

  /// Maps the file and checks its header: every tensor inside the file, none overlapping, sizes
  /// that agree with shapes.
  public init(path: String) throws {
    self.path = path
    map = try MappedFile(path)
    entries = try Safetensors.checkedHeader(path, map.start, map.size)
  }

  /// The tensors.
  private static func checkedHeader(
    _ path: String, _ map: UnsafeRawPointer, _ size: Int
  ) throws -> [String: WeightEntry] {
    func bad(_ reason: String) -> CheckpointError {
      CheckpointError("\(path): not a valid safetensors file: \(reason). Fetch or write it again.")
    }
    guard size >= 8 else { throw bad("it has only \(size) bytes") }
    let length = map.loadUnaligned(as: UInt64.self)
    guard length <= UInt64(size - 8), length < 200_000_000 else {
      throw bad("the header should have \(length) bytes, the file has \(size)")
    }
    let data = 8 + Int(length)
    let text = Array(UnsafeRawBufferPointer(start: map + 8, count: Int(length)))
    let header: JSON
    do { header = try JSON(parsing: text, name: "header") } catch { throw bad("\(error)") }
    guard let members = header.members else { throw bad("the header is not an object") }

    var entries: [String: WeightEntry] = [:]
    for (name, value) in members where name != "__metadata__" {
      guard let type = value["dtype"]?.string, let sizes = value["shape"]?.elements,
        let offsets = value["data_offsets"]?.elements?.map(\.int), offsets.count == 2,
        let start = offsets[0], let end = offsets[1]
      else { throw bad("tensor \(quoted(name)) lacks dtype, shape or data_offsets") }
      guard let kind = NumberType.single.first(where: { $0.rawValue == type }) else {
        let known = NumberType.single.map(\.rawValue).joined(separator: ", ")
        throw bad("tensor \(quoted(name)) has type \(type); \(known) can be read")
      }
      var count = 1
      let shape = sizes.compactMap(\.int)
      for size in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard size >= 0, !overflow, product < 1 << 48 else {
          throw bad("tensor \(quoted(name)) has a shape of \(shape)")
        }
        count = product
      }
      guard shape.count == sizes.count, start >= 0, start <= end else {
        throw bad("tensor \(quoted(name)) has a bad shape or offsets")
      }
      guard end <= size - data else {
        throw bad("tensor \(quoted(name)) ends at byte \(end) of \(size - data); truncated?")
      }
      guard end - start == count * kind.bytes else {
        throw bad("tensor \(quoted(name)) of \(shape) has \(end - start) bytes")
      }
      entries[name] = WeightEntry(
        type: kind, shape: shape, bytes: data + start..<data + end, strides: nil)
    }
    // Without the empty ones, tensors that overlap have neighbours that overlap.
    let inOrder = entries.filter { !$0.value.bytes.isEmpty }
      .sorted { $0.value.bytes.lowerBound < $1.value.bytes.lowerBound }
    for (a, b) in zip(inOrder, inOrder.dropFirst())
    where b.value.bytes.lowerBound < a.value.bytes.upperBound {
      throw bad("tensors \(quoted(a.key)) and \(quoted(b.key)) overlap")
    }
    return entries
  }
}

// ## Writing

/// The nearest bfloat16, ties to even.
public func roundedToBF16(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) & 0xFFFF_0000)
}

/// The bytes of a safetensors file with these tensors, in order of name, as BF16.
public func safetensorsBytes(_ tensors: [String: Tensor]) -> [UInt8] {
  var header: [String: JSON] = ["__metadata__": ["format": "pt"]]
  var body: [UInt8] = []
  for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
    let start = body.count
    tensor.withNumbers { numbers in
      for number in numbers {
        let bits = roundedToBF16(number).bitPattern >> 16
        body.append(UInt8(bits & 0xFF))
        body.append(UInt8(bits >> 8))
      }
    }
    header[name] = [
      "dtype": "BF16", "shape": .array(tensor.shape.map { .integer($0) }),
      "data_offsets": [.integer(start), .integer(body.count)],
    ]
  }
  var text = Array(JSON.object(header).compactText.utf8)
  // The format asks for a header that ends on a multiple of eight.
  text += [UInt8](repeating: 32, count: (8 - text.count % 8) % 8)
  let length = UInt64(text.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + text + body
}
