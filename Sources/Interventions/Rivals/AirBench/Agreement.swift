// Agreement of raters: Cohen's kappa of two, Krippendorff's alpha of any number with ratings missing, and the
// table in which people's ratings come (`paper/definitions.md`, D169).

import JSON
import Tensor

/// How much a disagreement counts in Cohen's kappa (Cohen, 1960; 1968): any as much as another, or by the
/// distance of the values or its square.
public enum KappaWeights: String, Codable, Sendable, CaseIterable {
  case none, linear, quadratic

  func callAsFunction(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .none: a == b ? 0 : 1
    case .linear: abs(a - b)
    case .quadratic: (a - b) * (a - b)
    }
  }
}

/// Cohen's kappa, 1 less the observed disagreement over that of independent raters with the same shares of
/// values.
///
/// - Parameters:
///   - a: one rating an item, nil where it is missing; `b` likewise
/// - Returns: nil where no item has both ratings or no disagreement is expected
/// - Throws: where the raters have not the same number of items.
public func cohenKappa(_ a: [Double?], _ b: [Double?], weights: KappaWeights = .none) throws
  -> Double?
{
  guard a.count == b.count else {
    throw CellError("one rater has \(a.count) items, the other \(b.count); align them by item")
  }
  let both = zip(a, b).compactMap { a, b in a.flatMap { a in b.map { (a, $0) } } }
  guard !both.isEmpty else { return nil }
  let observed = both.reduce(0.0) { $0 + weights($1.0, $1.1) } / Double(both.count)
  let (left, right) = (histogram(both.map(\.0)), histogram(both.map(\.1)))
  var expected = 0.0
  for (x, n) in left { for (y, m) in right { expected += Double(n * m) * weights(x, y) } }
  expected /= Double(both.count * both.count)
  return expected > 0 ? 1 - observed / expected : nil
}

/// What a difference of two values counts in Krippendorff's alpha.
public enum AlphaMetric: String, Codable, Sendable, CaseIterable {
  case nominal, interval

  func callAsFunction(_ a: Double, _ b: Double) -> Double {
    self == .nominal ? (a == b ? 0 : 1) : (a - b) * (a - b)
  }
}

/// Krippendorff's alpha (Krippendorff, 2011, *Computing Krippendorff's alpha-reliability*).
///
/// - Parameter ratings: [raters][items], nil where a rating is missing; items with fewer than two ratings
///   say nothing and are left out
/// - Returns: nil where no item has two ratings, or all ratings are the same
/// - Throws: where the raters have not the same number of items.
public func krippendorffAlpha(_ ratings: [[Double?]], _ metric: AlphaMetric) throws -> Double? {
  alpha(try pairable(ratings), metric)
}

/// The same with its interval over items; a draw in which all ratings are the same counts as agreement.
///
/// - Parameter draws: bootstrap samples of the items that have two ratings
public func krippendorffAlpha(
  _ ratings: [[Double?]], _ metric: AlphaMetric, draws: Int, _ random: Random
) throws -> Estimate? {
  let units = try pairable(ratings)
  guard alpha(units, metric) != nil else { return nil }
  return clusterInterval(of: units, draws: draws, widened: true, random) { alpha($0, metric) ?? 1 }
}

private func pairable(_ ratings: [[Double?]]) throws -> [[Double]] {
  let count = ratings.first?.count ?? 0
  if let other = ratings.first(where: { $0.count != count }) {
    throw CellError("one rater has \(count) items, another \(other.count); align them by item")
  }
  return (0..<count).map { item in ratings.compactMap { $0[item] } }.filter { $0.count > 1 }
}

private func alpha(_ units: [[Double]], _ metric: AlphaMetric) -> Double? {
  let values = histogram(units.flatMap { $0 })
  let n = values.reduce(0.0) { $0 + Double($1.count) }
  let expected = disagreement(values, metric) / (n - 1)
  guard n > 1, expected > 0 else { return nil }
  let observed = units.reduce(0.0) { sum, unit in
    sum + disagreement(histogram(unit), metric) / Double(unit.count - 1)
  }
  return 1 - observed / expected
}

/// The sum over ordered pairs of different ratings.
private func disagreement(_ values: [(value: Double, count: Int)], _ metric: AlphaMetric)
  -> Double
{
  var sum = 0.0
  for (i, a) in values.enumerated() {
    for b in values[..<i] { sum += 2 * Double(a.count * b.count) * metric(a.value, b.value) }
  }
  return sum
}

/// Distinct values in order, with how often each occurs.
private func histogram(_ values: [Double]) -> [(value: Double, count: Int)] {
  values.sorted().reduce(into: []) { runs, value in
    if runs.last?.value == value {
      runs[runs.count - 1].count += 1
    } else {
      runs.append((value, 1))
    }
  }
}

/// People's ratings: a table with a column of items and a column of numbers for each rater.
public struct HumanRatings: Sendable {
  public let items: [String]
  public let raters: [String]
  /// [raters][items], nil where the field is empty.
  public let scores: [[Double?]]

  /// - Parameter item: the name of the column of items
  /// - Throws: where the column, a rater or a row is missing, an item stands twice, or a rating is no
  ///   number; the error names file, line and column.
  public init(contentsOf path: String, item: String = "uniq_id") throws {
    let table = try Table(contentsOf: path)
    guard let own = table.columns.firstIndex(of: item), table.columns.count > 1 else {
      throw CellError(
        "\(path): needs a column \(quoted(item)) and one for each rater; \(table.description)")
    }
    guard !table.rows.isEmpty else { throw CellError("\(path): has no rows") }
    let places = table.columns.indices.filter { $0 != own }
    var (items, seen) = ([String](), Set<String>())
    var scores = [[Double?]](repeating: [], count: places.count)
    for (line, fields) in table.rows {
      func fail(_ what: String) -> CellError { CellError("\(path): line \(line): \(what)") }
      guard fields.count == table.columns.count, !fields[own].isEmpty else {
        throw fail("should name an item and have \(table.columns.count) fields")
      }
      guard seen.insert(fields[own]).inserted else {
        throw fail("the item \(quoted(fields[own])) stands twice")
      }
      items.append(fields[own])
      for (rater, place) in places.enumerated() {
        let text = fields[place].filter { !$0.isWhitespace }
        guard !text.isEmpty else {
          scores[rater].append(nil)
          continue
        }
        guard let score = Double(text), score.isFinite else {
          throw fail(
            "column \(quoted(table.columns[place])): \(quoted(text)) is no number; leave a missing "
              + "rating empty")
        }
        scores[rater].append(score)
      }
    }
    (self.items, self.scores) = (items, scores)
    raters = places.map { table.columns[$0] }
  }

  /// A judge's scores in the order of these items; nil where it failed.
  ///
  /// - Throws: where the judge was not asked about one of the items.
  public func aligned(_ scores: [Double?], of ids: [String]) throws -> [Double?] {
    guard scores.count == ids.count else {
      throw CellError("there are \(scores.count) scores of \(ids.count) items")
    }
    return try items.map { item in
      guard let place = ids.firstIndex(of: item) else {
        throw CellError("the judge has no score of item \(quoted(item)), which people rated")
      }
      return scores[place]
    }
  }
}
