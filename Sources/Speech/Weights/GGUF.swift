// The GGUF format, version 3: a header of named values and tensors, then their numbers, many of them in
// blocks of few bits. Nothing in the file is trusted.
//
//     "GGUF", uint32 version, uint64 tensors, uint64 values
//     each value: string name; uint32 type; the value (GGUFMetadata.swift)
//     each tensor: string name; uint32 dimensions; uint64 sizes, the innermost first; uint32 type;
//       uint64 offset from the start of the numbers
//     the numbers, from the next multiple of `general.alignment` on

import JSON

/// An opened GGUF file.
public struct GGUF: WeightFile {
  public let path: String
  public let map: MappedFile
  /// What the file says of its model.
  public let metadata: [String: GGUFValue]
  public let entries: [String: WeightEntry]

  /// The types that are read, by their numbers.
  static let types: [UInt32: NumberType] = [
    0: .float32, 1: .float16, 2: .q4, 6: .q5, 8: .q8, 12: .q4K, 13: .q5K, 14: .q6K, 30: .bfloat16,
  ]

  /// The names of the others, some of which are no longer written.
  private static let otherTypes: [UInt32: String] = [
    3: "Q4_1", 4: "Q4_2", 5: "Q4_3", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K",
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0", 36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
  ]

  /// Bytes that the shortest value and the shortest tensor take in the header.
  private static let (shortestValue, shortestTensor) = (13, 32)

  /// Opens a file and checks its header: every length and count against the bytes that there are, every
  /// tensor inside the file, none overlapping.
  public init(path: String) throws {
    self.path = path
    map = try MappedFile(path)
    var cursor = GGUFCursor(path: path, map: map)
    let counts = try GGUF.start(&cursor)
    var metadata: [String: GGUFValue] = [:]
    for i in 0..<counts.values {
      let key = try cursor.string("the name of value \(i)")
      let value = try cursor.value(of: key)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw cursor.bad("the value \(quoted(key)) is there twice")
      }
    }
    self.metadata = metadata
    var headers: [Header] = []
    for i in 0..<counts.tensors { headers.append(try GGUF.header(i, &cursor)) }
    let start = try GGUF.start(ofNumbersAfter: cursor, metadata)
    entries = try GGUF.placed(headers, cursor, start)
  }

  /// Magic, version and counts.
  private static func start(_ cursor: inout GGUFCursor) throws -> (tensors: Int, values: Int) {
    guard cursor.left >= 24 else { throw cursor.bad("it has only \(cursor.left) bytes") }
    let magic = try cursor.number("the magic", UInt32.self)
    guard magic == 0x4655_4747 else { throw cursor.bad("it does not begin with the letters GGUF") }
    let version = try cursor.number("the version", UInt32.self)
    guard version == 3 else {
      throw cursor.bad(
        version.byteSwapped <= 3
          ? "its numbers are big-endian; little-endian files are read"
          : "it has version \(version); version 3 is read")
    }
    let tensors = try cursor.number("the number of tensors", UInt64.self)
    let values = try cursor.number("the number of values", UInt64.self)
    for (count, what, shortest) in [
      (tensors, "tensors", shortestTensor), (values, "values", shortestValue),
    ] where count > UInt64(cursor.left / shortest) {
      throw cursor.bad(
        "it should have \(count) \(what), more than its \(cursor.map.size) bytes hold; truncated?")
    }
    return (Int(tensors), Int(values))
  }

  /// A tensor as the header has it, its place not checked yet.
  private struct Header {
    let name: String
    let shape: [Int]
    let type: NumberType
    let offset: UInt64
    let bytes: Int
  }

  private static func header(_ index: Int, _ cursor: inout GGUFCursor) throws -> Header {
    let name = try cursor.string("the name of tensor \(index)")
    let what = "tensor \(quoted(name))"
    let dimensions = try cursor.number("the dimensions of \(what)", UInt32.self)
    guard 1...4 ~= dimensions else {
      throw cursor.bad("\(what) has \(dimensions) dimensions; 1 to 4 are possible")
    }
    var sizes: [UInt64] = []
    for _ in 0..<dimensions { sizes.append(try cursor.number("the sizes of \(what)", UInt64.self)) }
    var count = 1
    for size in sizes {
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: size))
      guard size > 0, !overflow, product < 1 << 48 else {
        throw cursor.bad("\(what) has sizes of \(sizes)")
      }
      count = product
    }
    let number = try cursor.number("the type of \(what)", UInt32.self)
    guard let type = types[number] else {
      let known = types.sorted { $0.key < $1.key }.map(\.value.rawValue).joined(separator: ", ")
      throw CheckpointError(
        "\(cursor.path): \(what) is of type \(otherTypes[number] ?? "\(number), which is unknown"); "
          + "take a file with these: \(known)")
    }
    guard Int(sizes[0]) % type.numbers == 0 else {
      throw cursor.bad(
        "\(what) has rows of \(sizes[0]) numbers, which are no whole blocks of \(type.numbers) "
          + "(\(type.rawValue))")
    }
    return Header(
      name: name, shape: sizes.reversed().map { Int($0) }, type: type,
      offset: try cursor.number("the offset of \(what)", UInt64.self),
      bytes: count / type.numbers * type.bytes)
  }

  private static func start(
    ofNumbersAfter cursor: GGUFCursor, _ metadata: [String: GGUFValue]
  ) throws -> (place: Int, alignment: Int) {
    let alignment: Int
    switch metadata["general.alignment"] {
    case nil: alignment = 32
    case .integer(let number) where 1...(1 << 20) ~= number && number & (number - 1) == 0:
      alignment = number
    case let value?:
      throw cursor.bad("\"general.alignment\" is \(value.shown); it should be a power of two")
    }
    return ((cursor.place + alignment - 1) / alignment * alignment, alignment)
  }

  /// The tensors with their places in the file.
  private static func placed(
    _ headers: [Header], _ cursor: GGUFCursor, _ start: (place: Int, alignment: Int)
  ) throws -> [String: WeightEntry] {
    let room = cursor.map.size - start.place
    var entries: [String: WeightEntry] = [:]
    for tensor in headers {
      guard tensor.offset % UInt64(start.alignment) == 0 else {
        throw cursor.bad(
          "tensor \(quoted(tensor.name)) begins at \(tensor.offset), no multiple of the alignment, "
            + "\(start.alignment)")
      }
      guard tensor.bytes <= room, tensor.offset <= UInt64(room - tensor.bytes) else {
        throw cursor.bad(
          "tensor \(quoted(tensor.name)) has \(tensor.bytes) bytes from \(tensor.offset) on, the file "
            + "\(max(room, 0)) behind its header; truncated?")
      }
      let first = start.place + Int(tensor.offset)
      let entry = WeightEntry(
        type: tensor.type, shape: tensor.shape, bytes: first..<first + tensor.bytes, strides: nil)
      guard entries.updateValue(entry, forKey: tensor.name) == nil else {
        throw cursor.bad("tensor \(quoted(tensor.name)) is there twice")
      }
    }
    let inOrder = entries.sorted { $0.value.bytes.lowerBound < $1.value.bytes.lowerBound }
    for (a, b) in zip(inOrder, inOrder.dropFirst())
    where b.value.bytes.lowerBound < a.value.bytes.upperBound {
      throw cursor.bad("tensors \(quoted(a.key)) and \(quoted(b.key)) overlap")
    }
    return entries
  }
}
