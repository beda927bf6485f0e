// The linear maps of Winograd's algorithm along one side of a tile, on vectors of channels: to[i] is row i of the matrix
// times the vector given. Included by winograd.cpp inside of a variant's namespace, after its vectors.
#pragma once

// The points of interpolation are 0, A, -A, B, -B and infinity. These two keep rounding small: two to three times that of
// a convolution without the algorithm, where the customary 1 and 2 give five times.
template <typename T>
constexpr T A = T(0.75);
template <typename T>
constexpr T B = T(1.5);
template <typename T>
constexpr T A2 = A<T> * A<T>;
template <typename T>
constexpr T B2 = B<T> * B<T>;

// The rows of B' d.
template <typename T>
INLINE void by_b(const V<T>* d, V<T>* to) {
    V<T> even_a = d[4] - B2<T> * d[2], odd_a = d[3] - B2<T> * d[1];
    V<T> even_b = d[4] - A2<T> * d[2], odd_b = d[3] - A2<T> * d[1];
    to[0] = even_a - A2<T> * d[2] + A2<T> * B2<T> * d[0];
    to[1] = even_a + A<T> * odd_a;
    to[2] = even_a - A<T> * odd_a;
    to[3] = even_b + B<T> * odd_b;
    to[4] = even_b - B<T> * odd_b;
    to[5] = d[5] - A2<T> * d[3] - B2<T> * odd_b;
}

// The rows of A' m.
template <typename T>
INLINE void by_a(const V<T>* m, V<T>* to) {
    V<T> even_a = m[1] + m[2], odd_a = A<T> * (m[1] - m[2]);
    V<T> even_b = m[3] + m[4], odd_b = B<T> * (m[3] - m[4]);
    to[0] = m[0] + even_a + even_b;
    to[1] = odd_a + odd_b;
    to[2] = A2<T> * even_a + B2<T> * even_b;
    to[3] = A2<T> * odd_a + B2<T> * odd_b + m[5];
}

// The rows of A g.
template <typename T>
INLINE void by_a_back(const V<T>* g, V<T>* to) {
    V<T> even_a = g[0] + A2<T> * g[2], odd_a = A<T> * (g[1] + A2<T> * g[3]);
    V<T> even_b = g[0] + B2<T> * g[2], odd_b = B<T> * (g[1] + B2<T> * g[3]);
    to[0] = g[0];
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = g[3];
}

// What G has at the points 0, A and -A, B and -B: one over the products of their distances to the others.
template <typename T>
constexpr T G_0 = 1 / (A2<T> * B2<T>);
template <typename T>
constexpr T G_A = 1 / (2 * A2<T> * (A2<T> - B2<T>));
template <typename T>
constexpr T G_B = 1 / (2 * B2<T> * (B2<T> - A2<T>));

// The rows of G g.
template <typename T>
INLINE void by_g(const V<T>* g, V<T>* to) {
    V<T> even_a = G_A<T> * (g[0] + A2<T> * g[2]), odd_a = G_A<T> * A<T> * g[1];
    V<T> even_b = G_B<T> * (g[0] + B2<T> * g[2]), odd_b = G_B<T> * B<T> * g[1];
    to[0] = G_0<T> * g[0];
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = g[2];
}

// The rows of G' u.
template <typename T>
INLINE void by_g_back(const V<T>* u, V<T>* to) {
    V<T> even_a = G_A<T> * (u[1] + u[2]), odd_a = G_A<T> * A<T> * (u[1] - u[2]);
    V<T> even_b = G_B<T> * (u[3] + u[4]), odd_b = G_B<T> * B<T> * (u[3] - u[4]);
    to[0] = G_0<T> * u[0] + even_a + even_b;
    to[1] = odd_a + odd_b;
    to[2] = A2<T> * even_a + B2<T> * even_b + u[5];
}
