// Reading a member of a value in one line, with an error that names the member.

extension JSON {
  public var members: [String: JSON]? { if case .object(let value) = self { value } else { nil } }
  public var elements: [JSON]? { if case .array(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// A whole number; a float such as `3.0` counts.
  public var int: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The member, or nil where this is no object, has no such member, or the member is null.
  public subscript(key: String) -> JSON? {
    guard let value = members?[key], value != .null else { return nil }
    return value
  }
}

extension JSON {
  /// The member as `read` gives it; an error that names it where it is absent or of another type.
  private func required<T>(_ key: String, _ type: String, _ read: (JSON) -> T?) throws -> T {
    guard let members else { throw JSONError("expected an object with \"\(key)\"") }
    guard let member = members[key] else { throw JSONError("\"\(key)\" is missing") }
    guard let value = read(member) else { throw JSONError("\"\(key)\" should be \(type)") }
    return value
  }

  public func object(_ key: String) throws -> [String: JSON] {
    try required(key, "an object", \.members)
  }
  public func array(_ key: String) throws -> [JSON] { try required(key, "an array", \.elements) }
  public func string(_ key: String) throws -> String { try required(key, "a string", \.string) }
  public func int(_ key: String) throws -> Int { try required(key, "a whole number", \.int) }
  public func double(_ key: String) throws -> Double { try required(key, "a number", \.double) }
  public func bool(_ key: String) throws -> Bool { try required(key, "true or false", \.bool) }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(uniqueKeysWithValues: elements))
  }
}
