// LaTeX macros for the numbers of the ledger, so that no number is typed into prose.

import Glibc

extension Ledger {
  /// The text of `paper/numbers.tex`: `\newcommand` for each row, by the name of ``macroName(of:)``,
  /// and one more, `…Interval`, for each row that has an interval.
  ///
  /// - Parameters:
  ///   - digits: the significant digits of a number that is exact and not whole.
  ///   - used: the macros that are written, intervals by the name of their number; nil for all.
  public func macros(digits: Int = 3, used: Set<String>? = nil) throws -> String {
    var owners: [String: String] = [:]
    var text = "% Made from numbers.tsv; edit that, or rather the experiment it comes from.\n"
    func define(_ macro: String, _ body: String, for row: Row) throws {
      if let owner = owners.updateValue(row.name, forKey: macro) {
        throw Failure("\"\(owner)\" and \"\(row.name)\" would both be the macro \\\(macro)")
      }
      guard used?.contains(macro) ?? true else { return }
      text += "\\newcommand{\\\(macro)}{\(body)}\n"
    }
    for row in rows {
      let macro = try macroName(of: row.name)
      try define(macro, row.latex(digits: digits), for: row)
      if let interval = row.latexInterval { try define(macro + "Interval", interval, for: row) }
    }
    if let unknown = used?.filter({ owners[$0] == nil }).sorted().first {
      let near = owners.keys.sorted().filter { $0.hasPrefix(unknown.prefix(unknown.count / 2)) }
        .prefix(5)
      throw Failure(
        "no number of the ledger has the macro \\\(unknown)"
          + (near.isEmpty ? "" : "; near it are \(near.joined(separator: ", "))"))
    }
    return text
  }
}

/// The macro of a number: letters only. Digits are spelled out, and what follows a digit, a dot,
/// a hyphen or an underscore begins with a capital: `e1.peak-layer` is `eOnePeakLayer`.
public func macroName(of name: String) throws -> String {
  let digits = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
  var macro = ""
  var startsWord = false
  for character in name {
    if let digit = character.wholeNumberValue, character.isASCII {
      macro += digits[digit]
      startsWord = true
    } else if character.isASCII && character.isLetter {
      macro += startsWord ? character.uppercased() : String(character)
      startsWord = false
    } else if ".-_".contains(character) {
      startsWord = true
    } else {
      throw Failure(
        "\"\(name)\" cannot name a number: '\(character)' is no letter, digit, . - or _")
    }
  }
  guard let first = name.first, first.isLetter else {
    throw Failure("\"\(name)\" cannot name a number: it should begin with a letter")
  }
  return macro
}

extension Ledger.Row {
  /// The value with the digits that mean something; the verdict in words for a claim.
  public func latex(digits: Int = 3) -> String {
    if name.hasPrefix("claim.") { return value == 1 ? "holds" : "refuted" }
    if let decimals { return number(value, decimals: decimals) }
    if value == value.rounded() && abs(value) < 1e15 { return number(value, decimals: 0) }
    return number(value, decimals: digits - 1 - magnitude(value))
  }

  /// `[low, high]` with the digits of the value, or nil.
  public var latexInterval: String? {
    guard let low, let high else { return nil }
    let decimals = decimals ?? 6
    return "[\(number(low, decimals: decimals)), \(number(high, decimals: decimals))]"
  }

  /// The digits after the point: two significant ones of the interval's half width, and none that
  /// is smaller than the tolerance, nor without an interval more than four significant ones; nil where the
  /// number has neither.
  private var decimals: Int? {
    let fromTolerance = tolerance > 0 ? -Int(log10(tolerance).rounded(.up)) : nil
    guard let low, let high, low < high else {
      return fromTolerance.map { min($0, 3 - magnitude(value)) }
    }
    let fromInterval = 1 - magnitude((high - low) / 2)
    return min(fromInterval, fromTolerance ?? fromInterval)
  }
}

/// The power of ten of a number's first digit; 0 for 0.
private func magnitude(_ value: Double) -> Int {
  value == 0 ? 0 : Int(log10(abs(value)).rounded(.down))
}

/// A number in LaTeX: plain where its digits are near the point, else with a power of ten.
private func number(_ value: Double, decimals: Int) -> String {
  let power = magnitude(value)
  if (-3...6).contains(decimals) && power < 15 {
    let text = fixed(value, decimals: max(decimals, 0))
    return text.hasPrefix("-") ? "\\ensuremath{\(text)}" : text
  }
  var (mantissa, exponent) = (value / pow(10, Double(power)), power)
  if fixed(abs(mantissa), decimals: max(decimals + power, 0)).hasPrefix("10") {
    (mantissa, exponent) = (mantissa / 10, power + 1)
  }
  let text = fixed(mantissa, decimals: min(max(decimals + exponent, 0), 12))
  return "\\ensuremath{\(text)\\times 10^{\(exponent)}}"
}
