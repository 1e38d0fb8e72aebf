// A hypothesis of causal scrubbing as a value: which windows of which residual sites carry which
// feature of the input, from the answer backwards (Chan et al., 2022; `paper/definitions.md`,
// D80). It is read from a JSON file:
//
//     { "name": "the changed phone enters by the connector",
//       "parents": [
//         { "site": "lm.1.resid_post", "window": "-1", "feature": "answer" },
//         { "site": "lm.1.resid_post", "window": "changed", "feature": "answer",
//           "parents": [{ "site": "connector.out", "window": "changed", "feature": "answer" }] } ] }

import JSON
import Speech

/// Where the input of a part of the computation may come from.
public enum DonorSampler: String, Sendable, CaseIterable {
  /// Any run whose feature equals the reference's, with replacement, the reference among them.
  case equal
  /// The same without the reference: where few runs share a feature, drawing the reference itself
  /// makes any hypothesis look better.
  case other
  /// The reference itself.
  case exact
  /// Any run.
  case any
  /// The run that the unimportant inputs of the same node come from.
  case shared
}

/// A node: what a window of a site carries, and by what it is computed.
public struct HypothesisNode: Sendable {
  /// What the node is called in results.
  public let name: String
  public let site: Site
  public let window: PairWindow
  /// The feature of the input on which the window is said to depend.
  public let feature: String
  public let sampler: DonorSampler
  /// By what the window's content is computed; empty where it is taken as it is.
  public let inputs: HypothesisCut?
}

/// The important inputs of a node at one residual site, and how everything else there is drawn.
public struct HypothesisCut: Sendable {
  /// All at one site.
  public let parents: [HypothesisNode]
  /// How the rest of the site's positions is drawn: one draw for all of it.
  public let others: DonorSampler
  public let site: Site
}

/// A whole hypothesis: the answer's inputs.
public struct Hypothesis: Sendable {
  public let name: String
  public let root: HypothesisCut
}

extension Hypothesis {
  /// Reads a hypothesis.
  ///
  /// - Throws: an error that names the file, the node and what is wrong with it.
  public init(_ path: String) throws {
    let json = try readJSON(path)
    do { try self.init(json) } catch { throw JSONError("\(path): \(error)") }
  }

  public init(_ json: JSON) throws {
    name = try json.string("name")
    guard let root = try HypothesisCut(json, behind: nil, at: "the answer") else {
      throw JSONError(
        "has no \"parents\": name the cells that carry the answer, or give \"site\" and no "
          + "\"parents\" to draw everything at random")
    }
    self.root = root
  }
}

extension HypothesisCut {
  /// - Parameters:
  ///   - node: the site that the cut must lie before; nil for the answer
  ///   - name: what error messages call the node
  fileprivate init?(_ json: JSON, behind node: Site?, at name: String) throws {
    try json.checkMembers(
      ["name", "parents", "others", "site", "window", "feature", "sampler"], at: name)
    let nodes = try (json["parents"] == nil ? [] : json.array("parents")).enumerated()
      .map { i, child in
        try HypothesisNode(child, at: name == "the answer" ? "parent \(i)" : "\(name), parent \(i)")
      }
    // A root without parents is everything drawn at random at its own site.
    let own = node == nil && nodes.isEmpty ? try json["site"].map { try readSite($0, name) } : nil
    guard let site = nodes.first?.site ?? own else { return nil }
    if let other = nodes.first(where: { $0.site != site }) {
      throw JSONError(
        "\(name): its parents lie at \(site) and at \(other.site); the parents of one node are "
          + "windows of one site, so that everything else there can be drawn together")
    }
    parents = nodes
    self.site = site
    others = try readSampler(json["others"], or: .any, name)
    guard [.any, .exact].contains(others) else {
      throw JSONError("\(name): \"others\" is \"any\" or \"exact\", not \"\(others.rawValue)\"")
    }
  }
}

extension HypothesisNode {
  fileprivate init(_ json: JSON, at place: String) throws {
    do {
      site = try readSite(.string(json.string("site")), place)
      window = try PairWindow(json.string("window"))
      feature = try json.string("feature")
      name = try json["name"]?.string ?? "\(site)@\(json.string("window"))"
    } catch { throw JSONError("\(place): \(error)") }
    sampler = try readSampler(json["sampler"], or: .equal, place)
    inputs = try HypothesisCut(json, behind: site, at: place)
  }
}

extension JSON {
  fileprivate func checkMembers(_ known: [String], at place: String) throws {
    guard let members else { throw JSONError("\(place): should be an object") }
    if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
      throw JSONError(
        "\(place): \(quoted(unknown)) is not known; a node has "
          + known.map { "\"\($0)\"" }.joined(separator: ", "))
    }
  }
}

private func readSite(_ json: JSON, _ place: String) throws -> Site {
  guard let name = json.string, let site = Site(name) else {
    throw JSONError(
      "\(place): \(shortened(json.compactText)) is not a site, such as \"lm.1.resid_post\"")
  }
  return site
}

private func readSampler(_ json: JSON?, or usual: DonorSampler, _ place: String) throws
  -> DonorSampler
{
  guard let json else { return usual }
  guard let sampler = json.string.flatMap(DonorSampler.init(rawValue:)) else {
    throw JSONError(
      "\(place): \(shortened(json.compactText)) is no sampler; use "
        + DonorSampler.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
  }
  return sampler
}

extension Hypothesis {
  /// The same hypothesis on as long stretches elsewhere in the sound: a wrong one of equal size.
  public var elsewhere: Hypothesis {
    Hypothesis(name: name + ", elsewhere", root: root.elsewhere)
  }

  /// Whether any window follows the changed stretch, so that it could be elsewhere.
  public var followsChange: Bool { root.followsChange }
}

extension HypothesisCut {
  fileprivate var elsewhere: HypothesisCut {
    HypothesisCut(parents: parents.map(\.elsewhere), others: others, site: site)
  }

  fileprivate var followsChange: Bool {
    parents.contains { parent in
      if case .changed = parent.window { return true }
      return parent.inputs?.followsChange ?? false
    }
  }
}

extension HypothesisNode {
  fileprivate var elsewhere: HypothesisNode {
    var window = window
    if case .changed(let margin) = window { window = .elsewhere(margin: margin) }
    return HypothesisNode(
      name: name, site: site, window: window, feature: feature, sampler: sampler,
      inputs: inputs?.elsewhere)
  }
}
