// JSON values over json-c, the only file that imports it.
//
// Goals, in order: bad text is an error that says where; the same value is always the same bytes
// (sorted keys, shortest numbers that read back exactly); a value is read in one line.

import CJSON

/// A JSON value. Whole numbers that fit are `.integer`, all others `.number`.
public enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])
}

/// What is wrong with a JSON text, or with a value in it.
public struct JSONError: Error, CustomStringConvertible, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }
}

// ## Reading

extension JSON {
  /// Parses one JSON document in UTF-8; anything but white space after it is an error.
  ///
  /// - Parameter name: the file that the text came from, for the message.
  public init(parsing bytes: [UInt8], name: String) throws {
    guard !bytes.isEmpty else {
      throw JSONError("\(name): not JSON: it is empty; copy or download it again")
    }
    guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else {
      throw JSONError("\(name): not JSON: it begins with a byte-order mark; save it without one")
    }
    guard let tokener = json_tokener_new_ex(64) else { throw JSONError("\(name): out of memory") }
    defer { json_tokener_free(tokener) }
    json_tokener_set_flags(tokener, Int32(JSON_TOKENER_STRICT))
    guard bytes.count < Int(Int32.max) else {
      throw JSONError("\(name): JSON text of \(bytes.count) bytes is too large")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw JSONError("\(name): not JSON: the text is not UTF-8")
    }
    // The terminating zero is what tells json-c that a bare number has ended.
    let parsed = (bytes + [0]).withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { text in
        json_tokener_parse_ex(tokener, text.baseAddress, Int32(text.count))
      }
    }
    defer { if let parsed { json_object_put(parsed) } }
    let error = json_tokener_get_error(tokener)
    let end = json_tokener_get_parse_end(tokener)
    guard error == json_tokener_success else {
      let reason =
        error == json_tokener_continue
        ? "the text ends too early" : String(cString: json_tokener_error_desc(error))
      throw JSONError("\(name): not JSON, at byte \(end): \(reason)")
    }
    guard bytes[min(end, bytes.count)...].allSatisfy({ [9, 10, 13, 32].contains($0) }) else {
      throw JSONError("\(name): not JSON, at byte \(end): more text after the value")
    }
    try JSON.check(bytes, name: name)
    self = try JSON(copying: parsed, name: name)
  }

  public init(parsing text: String, name: String) throws {
    try self.init(parsing: Array(text.utf8), name: name)
  }

  private init(copying value: OpaquePointer?, name: String) throws {
    switch json_object_get_type(value) {
    case json_type_null: self = .null
    case json_type_boolean: self = .bool(json_object_get_boolean(value) != 0)
    case json_type_int:
      // Between 2^63 and 2^64 the signed value is cut off.
      let large = json_object_get_uint64(value)
      self =
        large > UInt64(Int.max)
        ? .number(Double(large)) : .integer(Int(json_object_get_int64(value)))
    case json_type_double:
      let number = json_object_get_double(value)
      guard number.isFinite else { throw JSONError("\(name): a number is not finite") }
      self = .number(number)
    case json_type_string:
      let length = Int(json_object_get_string_len(value))
      let bytes = UnsafeRawBufferPointer(start: json_object_get_string(value), count: length)
      self = .string(String(decoding: bytes, as: UTF8.self))
    case json_type_array:
      self = .array(
        try (0..<json_object_array_length(value)).map {
          try JSON(copying: json_object_array_get_idx(value, $0), name: name)
        })
    default:
      var members: [String: JSON] = [:]
      var iterator = json_object_iter_begin(value)
      var end = json_object_iter_end(value)
      while json_object_iter_equal(&iterator, &end) == 0 {
        let key = String(cString: json_object_iter_peek_name(&iterator))
        members[key] = try JSON(copying: json_object_iter_peek_value(&iterator), name: name)
        json_object_iter_next(&iterator)
      }
      self = .object(members)
    }
  }
}

// ## What json-c lets pass
//
// It keeps the last of two members of one name, cuts a name at a zero byte, reads 00 and 1. as
// numbers, and puts the largest whole number in place of a larger one, without a word.

extension JSON {
  /// Looks through a text that json-c has accepted for whole numbers beyond 64 bits, and for names
  /// that stand twice in one object, also where they differ only in how letters are composed.
  private static func check(_ bytes: [UInt8], name: String) throws {
    let (quote, backslash) = (UInt8(ascii: "\""), UInt8(ascii: "\\"))
    var seen: [Set<String>] = []
    var i = 0
    while i < bytes.count {
      defer { i += 1 }
      switch bytes[i] {
      case UInt8(ascii: "{"): seen.append([])
      case UInt8(ascii: "}"): seen.removeLast()
      case quote:
        let start = i
        i += 1
        while bytes[i] != quote { i += bytes[i] == backslash ? 2 : 1 }
        let next = bytes[(i + 1)...].first { ![9, 10, 13, 32].contains($0) }
        guard next == UInt8(ascii: ":") else { continue }
        let key = try text(of: bytes[start...i])
        guard !key.utf8.contains(0) else {
          throw JSONError("\(name): the key at byte \(start) holds a zero character")
        }
        guard seen[seen.count - 1].insert(key).inserted else {
          throw JSONError("\(name): the key \(quoted(key)) stands twice, again at byte \(start)")
        }
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        let number = bytes[i...].prefix { $0 > 32 && ![44, 93, 125].contains($0) }
        i += number.count - 1
        let digits = String(decoding: number, as: UTF8.self)
        guard isNumber(number.first == UInt8(ascii: "-") ? number.dropFirst() : number) else {
          throw JSONError("\(name): not JSON, at byte \(i): \(digits) is not a number")
        }
        guard
          number.count < 19 || digits.contains(where: { ".eE".contains($0) })
            || Int(digits) != nil || UInt64(digits) != nil
        else { throw JSONError("\(name): the whole number \(digits) is beyond 64 bits") }
      default: break
      }
    }
  }

  /// Whether a number without its sign has digits where it must and no zero in front of others.
  private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let whole = text.prefix { digits.contains($0) }
    let rest = text.dropFirst(whole.count)
    return !whole.isEmpty && (whole.count == 1 || whole.first != digits.lowerBound)
      && (rest.first != UInt8(ascii: ".") || rest.dropFirst().first.map(digits.contains) == true)
  }

  /// What a quoted string says.
  private static func text(of quoted: ArraySlice<UInt8>) throws -> String {
    guard quoted.contains(UInt8(ascii: "\\")) else {
      return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    }
    return try JSON(parsing: Array(quoted), name: "key").string ?? ""
  }
}

// ## Writing

extension JSON {
  /// The text with sorted keys, indented by two spaces, arrays of plain values on one line.
  public var text: String {
    var out = ""
    write(to: &out, indent: "")
    return out + "\n"
  }

  /// The text with sorted keys and no white space.
  public var compactText: String {
    var out = ""
    write(to: &out, indent: nil)
    return out
  }

  private var isPlain: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private func write(to out: inout String, indent: String?) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .integer(let value): out += String(value)
    case .number(let value):
      precondition(value.isFinite, "JSON has no number for \(value)")
      let isShort = value == value.rounded() && abs(value) < 1e15 && value != 0
      out += isShort ? "\(Int(value)).0" : "\(value)"
    case .string(let value): JSON.quote(value, to: &out)
    case .array(let values):
      let inner = values.allSatisfy(\.isPlain) ? nil : indent.map { $0 + "  " }
      JSON.writeList(values, brackets: "[]", outer: indent, inner: inner, to: &out) {
        $0.write(to: &$1, indent: inner)
      }
    case .object(let members):
      let inner = indent.map { $0 + "  " }
      let sorted = members.sorted { $0.key < $1.key }
      JSON.writeList(sorted, brackets: "{}", outer: indent, inner: inner, to: &out) {
        JSON.quote($0.key, to: &$1)
        $1 += indent == nil ? ":" : ": "
        $0.value.write(to: &$1, indent: inner)
      }
    }
  }

  private static func writeList<T>(
    _ items: [T], brackets: String, outer: String?, inner: String?, to out: inout String,
    _ writeItem: (T, inout String) -> Void
  ) {
    out.append(brackets.first!)
    for (i, item) in items.enumerated() {
      if i > 0 { out += inner == nil && outer != nil ? ", " : "," }
      if let inner { out += "\n" + inner }
      writeItem(item, &out)
    }
    if let outer, inner != nil, !items.isEmpty { out += "\n" + outer }
    out.append(brackets.last!)
  }

  private static func quote(_ text: String, to out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case "\r": out += "\\r"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}
