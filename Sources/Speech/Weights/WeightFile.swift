// A file of weights, mapped into memory: what it holds, and its tensors as Float32 or as they lie
// there.

import Glibc
import Tensor

/// The types of numbers that can be read, by the names of safetensors and, of blocks, of ggml.
public enum NumberType: String, Sendable, CaseIterable {
  case float64 = "F64"
  case float32 = "F32"
  case bfloat16 = "BF16"
  case float16 = "F16"
  case int64 = "I64"
  case int32 = "I32"
  case int16 = "I16"
  case int8 = "I8"
  case uint8 = "U8"
  case bool = "BOOL"
  case q4 = "Q4_0"
  case q5 = "Q5_0"
  case q8 = "Q8_0"
  case q4K = "Q4_K"
  case q5K = "Q5_K"
  case q6K = "Q6_K"

  /// Those whose numbers lie one by one.
  static let single = allCases.filter { $0.format == nil }

  /// The blocks in which numbers lie.
  var format: BlockFormat? { BlockFormat(rawValue: rawValue) }

  /// Numbers of a block; 1 where they lie one by one.
  var numbers: Int { format?.numbers ?? 1 }

  /// How a matrix of them is kept in memory as it is; nil where it is not.
  var kind: PackedMatrix.Kind? {
    switch self {
    case .bfloat16: .bfloat16
    case .float16: .float16
    default: format.map { .blocks($0) }
    }
  }

  /// Bytes of a number, or of a block.
  var bytes: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .bfloat16, .float16, .int16: 2
    case .int8, .uint8, .bool: 1
    case .q4, .q5, .q8, .q4K, .q5K, .q6K: format!.bytes
    }
  }
}

/// One tensor of a file.
public struct WeightEntry: Sendable {
  public let type: NumberType
  public let shape: [Int]
  /// Where its numbers lie in the file.
  let bytes: Range<Int>
  /// Numbers from one index to the next in each dimension; nil where they lie in order.
  let strides: [Int]?
  /// Where the scale of each row lies, a Float32 by which its numbers are divided; nil where they are
  /// not scaled.
  var scales: Range<Int>? = nil
}

/// A file mapped into memory.
public final class MappedFile: @unchecked Sendable {
  let start: UnsafeRawPointer
  let size: Int

  init(_ path: String) throws {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw CheckpointError.unopened(path) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
      throw CheckpointError("\(path): is not a file, or is empty. Fetch or write it again.")
    }
    size = Int(status.st_size)
    guard let map = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), map != MAP_FAILED else {
      throw CheckpointError("\(path): cannot be mapped: \(String(cString: strerror(errno)))")
    }
    start = UnsafeRawPointer(map)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: start), size) }
}

/// An opened file of weights.
public protocol WeightFile: Sendable {
  var path: String { get }
  var entries: [String: WeightEntry] { get }
  var map: MappedFile { get }
}

extension WeightFile {
  /// The tensor as Float32.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else {
      throw CheckpointError("\(path): has no tensor \"\(name)\"")
    }
    let source = map.start + entry.bytes.lowerBound
    let count = entry.shape.reduce(1, *)
    if let format = entry.type.format {
      return PackedMatrix(
        rows: 1, width: count, kind: .blocks(format), start: source, owner: map
      ).floats.reshaped(entry.shape)
    }
    let numbers = [Float](unsafeUninitializedCapacity: count) { out, filled in
      if let strides = entry.strides {
        for i in 0..<count {
          var (rest, place) = (i, 0)
          for (size, stride) in zip(entry.shape, strides).reversed() {
            place += rest % size * stride
            rest /= size
          }
          read(source, place, entry.type, 1, out.baseAddress! + i)
        }
      } else if count > 0 {
        read(source, 0, entry.type, count, out.baseAddress!)
      }
      if let scales = entry.scales, count > 0 {
        let width = count / entry.shape[0]
        for i in 0..<count {
          out[i] /= map.start.loadUnaligned(
            fromByteOffset: scales.lowerBound + 4 * (i / width), as: Float.self)
        }
      }
      filled = count
    }
    return Tensor(entry.shape, numbers)
  }

  /// The matrix as it lies in the file; nil where it is not one of 16-bit numbers, or of blocks, in order.
  func packed(_ name: String) -> PackedMatrix? {
    guard let entry = entries[name], entry.shape.count == 2, entry.strides == nil,
      let kind = entry.type.kind
    else { return nil }
    return PackedMatrix(
      rows: entry.shape[0], width: entry.shape[1], kind: kind,
      start: map.start + entry.bytes.lowerBound, owner: map)
  }
}

/// Numbers from the one at `place` on, widened or rounded to Float32.
private func read(
  _ source: UnsafeRawPointer, _ place: Int, _ type: NumberType, _ count: Int,
  _ out: UnsafeMutablePointer<Float>
) {
  func each<T>(_ as: T.Type, _ convert: (T) -> Float) {
    let width = MemoryLayout<T>.size
    for i in 0..<count {
      out[i] = convert(source.loadUnaligned(fromByteOffset: (place + i) * width, as: T.self))
    }
  }
  switch type {
  case .float64: each(Double.self) { Float($0) }
  case .float32: memcpy(out, source + 4 * place, 4 * count)
  case .bfloat16: each(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
  case .float16: each(UInt16.self) { Float(Float16(bitPattern: $0)) }
  case .int64: each(Int64.self) { Float($0) }
  case .int32: each(Int32.self) { Float($0) }
  case .int16: each(Int16.self) { Float($0) }
  case .int8: each(Int8.self) { Float($0) }
  case .uint8, .bool: each(UInt8.self) { Float($0) }
  case .q4, .q5, .q8, .q4K, .q5K, .q6K: preconditionFailure("blocks are read whole")
  }
}
