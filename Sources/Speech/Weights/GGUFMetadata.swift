// The named values of a GGUF file, and the cursor that reads its header.

import JSON

/// A value of a GGUF file. Lists stay in the file until they are asked for.
public enum GGUFValue: Sendable {
  case integer(Int)
  case number(Double)
  case bool(Bool)
  case string(String)
  case list(GGUFList)

  public var int: Int? { if case .integer(let value) = self { value } else { nil } }
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var list: GGUFList? { if case .list(let value) = self { value } else { nil } }

  /// How a message shows it.
  var shown: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): quoted(value)
    case .list(let value): "a list of \(value.count)"
    }
  }
}

/// The types of values, by their numbers in the file.
enum GGUFType: UInt32, Sendable {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, list, uint64, int64,
    float64

  /// Bytes of a value; nil where they vary.
  var bytes: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .list: nil
    }
  }
}

/// A list of values of one type.
public struct GGUFList: Sendable {
  public let count: Int
  let type: GGUFType
  /// At its first value; that all of them lie in the file was checked.
  let cursor: GGUFCursor

  /// Its strings; nil where it holds something else.
  ///
  /// - Throws: where one of them is no UTF-8.
  public func strings(_ what: String) throws -> [String]? {
    guard type == .string else { return nil }
    var cursor = cursor
    return try (0..<count).map { try cursor.string("string \($0) of \(what)") }
  }

  /// Its whole numbers; nil where it holds something else.
  public func integers(_ what: String) throws -> [Int]? {
    switch type {
    case .float32, .float64, .bool, .string, .list: return nil
    default: break
    }
    var cursor = cursor
    let values = try (0..<count).map { _ in try cursor.value(what, type).int }
    return values.contains { $0 == nil } ? nil : values.map { $0! }
  }
}

/// A place in the header of a GGUF file, from which everything is read with its length checked.
struct GGUFCursor: Sendable {
  let path: String
  let map: MappedFile
  private(set) var place = 0

  init(path: String, map: MappedFile) {
    self.path = path
    self.map = map
  }

  /// Bytes that are left.
  var left: Int { map.size - place }

  func bad(_ reason: String) -> CheckpointError {
    CheckpointError("\(path): not a valid GGUF file: \(reason). Fetch or write it again.")
  }

  private func truncated(_ what: String) -> CheckpointError {
    bad("it ends inside \(what); truncated?")
  }

  mutating func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ what: @autoclosure () -> String, _: T.Type
  ) throws -> T {
    guard left >= MemoryLayout<T>.size else { throw truncated(what()) }
    defer { place += MemoryLayout<T>.size }
    return T(littleEndian: map.start.loadUnaligned(fromByteOffset: place, as: T.self))
  }

  /// The bytes of a string, behind its length.
  private mutating func bytes(_ what: @autoclosure () -> String) throws -> UnsafeRawBufferPointer {
    let length = try number("the length of \(what())", UInt64.self)
    guard length <= UInt64(left) else {
      throw bad("\(what()) should have \(length) bytes, the file has \(left) more; truncated?")
    }
    defer { place += Int(length) }
    return UnsafeRawBufferPointer(start: map.start + place, count: Int(length))
  }

  mutating func string(_ what: @autoclosure () -> String) throws -> String {
    guard let text = String(validating: try bytes(what()), as: UTF8.self) else {
      throw bad("\(what()) is no UTF-8")
    }
    return text
  }

  /// The type and the value of a name.
  mutating func value(of key: String) throws -> GGUFValue {
    let what = "the value \(quoted(key))"
    return try value(what, type(what))
  }

  private mutating func type(_ what: String) throws -> GGUFType {
    let number = try number("the type of \(what)", UInt32.self)
    guard let type = GGUFType(rawValue: number) else {
      throw bad("\(what) has type \(number); 0 to 12 are possible")
    }
    return type
  }

  mutating func value(_ what: String, _ type: GGUFType) throws -> GGUFValue {
    func whole<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws -> GGUFValue {
      let number = try number(what, T.self)
      return Int(exactly: number).map { .integer($0) } ?? .number(Double(number))
    }
    switch type {
    case .uint8: return try whole(UInt8.self)
    case .int8: return try whole(Int8.self)
    case .uint16: return try whole(UInt16.self)
    case .int16: return try whole(Int16.self)
    case .uint32: return try whole(UInt32.self)
    case .int32: return try whole(Int32.self)
    case .uint64: return try whole(UInt64.self)
    case .int64: return try whole(Int64.self)
    case .float32:
      return .number(Double(Float(bitPattern: try number(what, UInt32.self))))
    case .float64: return .number(Double(bitPattern: try number(what, UInt64.self)))
    case .bool:
      let byte = try number(what, UInt8.self)
      guard byte < 2 else { throw bad("\(what) is \(byte), neither true nor false") }
      return .bool(byte == 1)
    case .string: return .string(try string(what))
    case .list: return .list(try list(what))
    }
  }

  /// A list, and steps over its values.
  private mutating func list(_ what: String) throws -> GGUFList {
    let element = try type("the elements of \(what)")
    guard element != .list else { throw bad("\(what) is a list of lists, which is not read") }
    let count = try number("the length of \(what)", UInt64.self)
    // A string takes at least the bytes of its length.
    let size = element.bytes ?? 8
    guard count <= UInt64(left / size) else {
      throw bad("\(what) should have \(count) elements, more than the file holds; truncated?")
    }
    let list = GGUFList(count: Int(count), type: element, cursor: self)
    if element.bytes != nil {
      place += Int(count) * size
    } else {
      for i in 0..<Int(count) { _ = try bytes("string \(i) of \(what)") }
    }
    return list
  }
}
