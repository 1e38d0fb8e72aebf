// CTranslate2's model.bin: variables one behind the other, each with its name, sizes, type and numbers,
// and names that stand for others.

import JSON

/// An opened model.bin of a Whisper model that was converted for CTranslate2 (faster-whisper).
///
/// Its tensors have their Hugging Face names: what the file keeps in one matrix (queries, keys and
/// values) is several tensors here, each some of its rows.
public final class CTranslate2: WeightFile {
  public let path: String
  public let entries: [String: WeightEntry]
  public let map: MappedFile
  /// What a Hugging Face config.json would say of the sizes, which follow from the tensors.
  let sizes: JSON

  /// Maps the file and checks every variable: inside the file, with sizes that agree.
  public init(path: String) throws {
    self.path = path
    map = try MappedFile(path)
    let bytes = UnsafeRawBufferPointer(start: map.start, count: map.size)
    do { (entries, sizes) = try CTranslate2.whisper(bytes) } catch let error as CheckpointError {
      throw CheckpointError(
        "\(path): \(error). Fetch it again, or convert the model again with ct2-transformers-converter "
          + "--quantization float16.")
    }
  }

  /// A variable of the file.
  struct Variable {
    var shape: [Int]
    let type: NumberType
    var bytes: Range<Int>

    /// The variable's rows, cut into as many equal parts.
    func part(_ index: Int, of parts: Int) -> Variable {
      var part = self
      part.shape[0] /= parts
      let length = bytes.count / parts
      let start = bytes.lowerBound + index * length
      part.bytes = start..<start + length
      return part
    }
  }

  /// The types of numbers, by their place in CTranslate2's own list.
  private static let types: [NumberType] = [.float32, .int8, .int16, .int32, .float16, .bfloat16]

  /// The variables of a file, by their own names and by those that stand for them.
  static func variables(_ bytes: UnsafeRawBufferPointer) throws -> [String: Variable] {
    var file = Cursor(bytes: bytes)
    let version = try file.number(UInt32.self)
    guard version == 6 else {
      throw CheckpointError(
        "not a CTranslate2 model of version 6: it says version \(version), or is another kind of file"
      )
    }
    let (specification, revision) = (try file.text("specification"), try file.number(UInt32.self))
    guard specification == "WhisperSpec", revision == 3 else {
      throw CheckpointError(
        "a CTranslate2 model of \(quoted(specification)), revision \(revision); only \"WhisperSpec\", "
          + "revision 3, can be read")
    }
    var variables: [String: Variable] = [:]
    for _ in 0..<(try file.number(UInt32.self)) {
      let name = try file.text("name of a variable")
      guard variables[name] == nil else {
        throw CheckpointError("the variable \(quoted(name)) is there twice")
      }
      variables[name] = try variable(name, &file)
    }
    let own = variables
    for _ in 0..<(try file.number(UInt32.self)) {
      let (alias, name) = (try file.text("alias"), try file.text("name of an alias"))
      guard variables[alias] == nil else {
        throw CheckpointError("the variable \(quoted(alias)) is there twice, once as an alias")
      }
      guard let variable = own[name] else {
        throw CheckpointError(
          "\(quoted(alias)) stands for \(quoted(name)), which is no variable of the file")
      }
      variables[alias] = variable
    }
    guard file.place == bytes.count else {
      throw CheckpointError(
        "\(bytes.count - file.place) bytes follow behind its last variable, which belong to no tensor"
      )
    }
    return variables
  }

  private static func variable(_ name: String, _ file: inout Cursor) throws -> Variable {
    let shape = try (0..<(try file.number(UInt8.self))).map { _ in
      Int(try file.number(UInt32.self))
    }
    let code = Int(try file.number(UInt8.self))
    guard types.indices.contains(code) else {
      throw CheckpointError("the variable \(quoted(name)) has type \(code); 0 to 5 are known")
    }
    let type = types[code]
    var count = type.bytes
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, product < 1 << 48 else {
        throw CheckpointError("the variable \(quoted(name)) has a shape of \(shape)")
      }
      count = product
    }
    let length = Int(try file.number(UInt32.self))
    guard length == count else {
      throw CheckpointError(
        "the variable \(quoted(name)) of \(shape) has \(length) bytes; \(type.rawValue) takes \(count)"
      )
    }
    return Variable(shape: shape, type: type, bytes: try file.skip(length, name))
  }
}

/// A place in a file that is read from front to back.
private struct Cursor {
  let bytes: UnsafeRawBufferPointer
  private(set) var place = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    let range = try skip(MemoryLayout<T>.size, nil)
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: T.self))
  }

  /// A text behind its length, which counts the zero at its end.
  mutating func text(_ what: String) throws -> String {
    let range = try skip(Int(try number(UInt16.self)), nil)
    guard let end = range.last, bytes[end] == 0,
      let text = String(validating: bytes[range.dropLast()], as: UTF8.self), !text.isEmpty,
      !text.utf8.contains(0)
    else { throw CheckpointError("the \(what) at byte \(range.lowerBound) is no text") }
    return text
  }

  /// The next bytes.
  mutating func skip(_ count: Int, _ name: String?) throws -> Range<Int> {
    guard count <= bytes.count - place else {
      let what = name.map { "the variable \(quoted($0))" } ?? "what stands at byte \(place)"
      throw CheckpointError("\(what) ends behind the end of the file; it is truncated")
    }
    defer { place += count }
    return place..<place + count
  }
}
